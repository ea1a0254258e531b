# WAMR as the library vmlib, with what a microcontroller's build has: the classic interpreter, checks of bounds in software.
# Given: WAMR, the folder of its sources.
set(WAMR_ROOT_DIR ${WAMR})
set(WAMR_BUILD_PLATFORM linux)
string(TOUPPER ${CMAKE_SYSTEM_PROCESSOR} WAMR_BUILD_TARGET)
set(WAMR_BUILD_INTERP 1)
if(NOT DEFINED WAMR_BUILD_FAST_INTERP)
  set(WAMR_BUILD_FAST_INTERP 0) # faster, and several times the memory
endif()
set(WAMR_BUILD_AOT 0)
set(WAMR_BUILD_JIT 0)
set(WAMR_BUILD_LIBC_BUILTIN 1) # this version does not link without it; nothing here uses it
set(WAMR_BUILD_LIBC_WASI 0)
set(WAMR_DISABLE_HW_BOUND_CHECK 1)
include(${WAMR}/build-scripts/runtime_lib.cmake)
add_library(vmlib STATIC ${WAMR_RUNTIME_LIB_SOURCE})
