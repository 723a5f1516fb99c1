//! godwit/plugin.h, ABI major 1, as Rust sees it. The comments on threads, ownership and lifetime stand in that header and hold here too.
#![allow(dead_code)]
use std::os::raw::{c_char, c_void};

pub const OK: i32 = 0;
pub const RETRY: i32 = 1;
pub const FAILED: i32 = 2;
pub const CANCELLED: i32 = 3;
pub const NOT_FOUND: i32 = 4;

pub const KIND_STAGE: u32 = 1;
pub const KIND_PROVIDER: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct View {
    pub ptr: *const u8,
    pub len: u64,
}

impl View {
    pub fn of(text: &str) -> View {
        View { ptr: text.as_ptr(), len: text.len() as u64 }
    }
    /// The bytes of a view the host gave.
    ///
    /// # Safety
    /// The view must not outlive the function it was given to.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 { &[] } else { std::slice::from_raw_parts(self.ptr, self.len as usize) }
    }
}

#[repr(C)]
pub struct Buf {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct Call {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_minor: u32,
    pub extension: unsafe extern "C" fn(*const c_char) -> *const c_void,
    pub buf_view: unsafe extern "C" fn(*const Buf, *mut View),
    pub buf_release: unsafe extern "C" fn(*mut Buf),
    pub log: unsafe extern "C" fn(*mut Call, i32, View, View),
    pub progress: unsafe extern "C" fn(*mut Call, u64, u64, View),
    pub fail: unsafe extern "C" fn(*mut Call, View, View, i64),
    pub cancelled: unsafe extern "C" fn(*mut Call) -> i32,
    pub deadline_ns: unsafe extern "C" fn(*mut Call) -> i64,
    pub idempotency_key: unsafe extern "C" fn(*mut Call, *mut View),
    pub attempt: unsafe extern "C" fn(*mut Call) -> i32,
    pub output: unsafe extern "C" fn(*mut Call, View) -> i32,
    pub emit: unsafe extern "C" fn(*mut Call, View, View) -> i32,
    pub checkpoint_put: unsafe extern "C" fn(*mut Call, View, View) -> i32,
    pub checkpoint_get: unsafe extern "C" fn(*mut Call, View, *mut *mut Buf) -> i32,
    pub invoke: unsafe extern "C" fn(*mut Call, View, View, View, *mut *mut Buf) -> i32,
}

#[repr(C)]
pub struct Unit {
    pub struct_size: u32,
    pub kind: u32,
    pub id: *const c_char,
    pub open: unsafe extern "C" fn(*const Host, *mut Call, View, *mut *mut c_void) -> i32,
    pub run: unsafe extern "C" fn(*mut c_void, *mut Call, View, View) -> i32,
    pub close: unsafe extern "C" fn(*mut c_void),
}
unsafe impl Sync for Unit {}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub unit_count: u32,
    pub units: *const *const Unit,
    pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}
unsafe impl Sync for Plugin {}

/// The list that Plugin::units points to.
#[repr(transparent)]
pub struct Units<const N: usize>(pub [*const Unit; N]);
unsafe impl<const N: usize> Sync for Units<N> {}

/// An ELF note "godwit", type 1, with the manifest: the daemon reads it without running any code.
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    pub name_size: u32,
    pub size: u32,
    pub kind: u32,
    pub name: [u8; 8],
    pub manifest: [u8; N],
}
impl<const N: usize> Note<N> {
    pub const fn new(manifest: &[u8; N]) -> Note<N> {
        Note { name_size: 7, size: N as u32, kind: 1, name: *b"godwit\0\0", manifest: *manifest }
    }
}
