/* The codes in words. */
#include "device.h"

const char *saffu_meaning(int32_t code) {
  switch (code) {
  case SAFFU_OUT_OF_RANGE:
    return "a token, row or option is out of range";
  case SAFFU_FULL:
    return "the statistics are full: a sum would pass 2^32 - 1";
  case SAFFU_NOT_OBSERVED:
    return "this was never observed: a sum would fall below 0";
  case SAFFU_NOT_COMPILED:
    return "the module was compiled without learning";
  case SAFFU_READ_FAILED:
    return "a read from flash fell short";
  case SAFFU_NOT_READY:
    return "reset has not been called, or has failed";
  case SAFFU_RUNTIME:
    return "the runtime refused or trapped";
  case SAFFU_ENDED:
    return "the message has ended";
  case SAFFU_NO_MESSAGE:
    return "no message has this frame";
  default:
    return code < 0 ? "an unknown code" : "no failure";
  }
}
