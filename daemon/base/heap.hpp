#pragma once

namespace godwit::base {

// Gives back to the system what was freed and the allocator keeps for later. Takes milliseconds.
void give_back_heap();

}  // namespace godwit::base
