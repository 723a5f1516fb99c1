mod godwit;
use godwit::*;
use std::os::raw::{c_char, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

static MANIFEST: &[u8; include_bytes!("plugin.json").len()] = include_bytes!("plugin.json");
#[used]
#[link_section = ".note.godwit"]
static NOTE: Note<{ include_bytes!("plugin.json").len() }> = Note::new(MANIFEST);

static HOST: AtomicPtr<Host> = AtomicPtr::new(std::ptr::null_mut());

/// [run] One call; a panic is caught by run_unit().
unsafe fn run(host: &Host, call: *mut Call, input: View) -> i32 {
    if (host.cancelled)(call) != 0 {
        return CANCELLED;
    }
    (host.log)(call, 1, View::of("at work"), View::of(""));
    match (host.checkpoint_put)(call, View::of("seen"), View::of("true")) {
        OK => {}
        CANCELLED => return CANCELLED,
        _ => {
            (host.fail)(call, View::of("checkpoint"), View::of("the checkpoint could not be stored"), -1);
            return RETRY;
        }
    }
    (host.progress)(call, 1, 1, View::of(""));
    (host.output)(call, input)
}

unsafe extern "C" fn open_unit(host: *const Host, _call: *mut Call, _config: View, self_: *mut *mut c_void) -> i32 {
    HOST.store(host as *mut Host, Ordering::Release);
    *self_ = std::ptr::null_mut();
    OK
}

unsafe extern "C" fn run_unit(_self: *mut c_void, call: *mut Call, _method: View, input: View) -> i32 {
    let host = &*HOST.load(Ordering::Acquire);
    // No panic may leave a function that C calls.
    std::panic::catch_unwind(|| run(host, call, input)).unwrap_or_else(|_| {
        (host.fail)(call, View::of("panic"), View::of("the plugin panicked"), -1);
        FAILED
    })
}

unsafe extern "C" fn close_unit(_self: *mut c_void) {}

static UNIT: Unit = Unit {
    struct_size: std::mem::size_of::<Unit>() as u32,
    kind: KIND_STAGE,
    id: concat!("@NAME@", "\0").as_ptr() as *const c_char,
    open: open_unit,
    run: run_unit,
    close: close_unit,
};
static UNITS: Units<1> = Units([&UNIT]);
static PLUGIN: Plugin = Plugin {
    struct_size: std::mem::size_of::<Plugin>() as u32,
    abi_major: 1,
    abi_minor: 0,
    unit_count: 1,
    units: UNITS.0.as_ptr(),
    extension: None,
};

#[no_mangle]
pub extern "C" fn godwit_plugin_v1(_host: *const Host, _load: *mut Call) -> *const Plugin {
    &PLUGIN
}
