/* Whole messages over the module's coder. */
#include "message.h"
#include "device.h"
#include "saffu_model.h"
#include "tokens.h"
#include <string.h>

#if SAFFU_PACK == 0
#error "the header was made without --pack"
#endif

enum { LITERAL = 255 };

/* An empty context, or behind the token that texts begin behind. */
static int32_t begin(void) {
  const int32_t code = saffu_reset();
  return code < 0 || SAFFU_BEGIN == 65535 ? code : saffu_append(SAFFU_BEGIN);
}

/* The code of a message in saffu_frame(): its bytes; FULL where it is longer than there is room for. */
static int32_t code_of(const char *message, size_t bytes) {
  uint16_t tokens[SAFFU_MOST_PIECE];
  int32_t code = begin();
  if (code >= 0) code = saffu_pack_from(SAFFU_BEGIN);
  for (size_t at = 0, count; code >= 0 && at < bytes;) {
    at += saffu_encode_piece(message + at, bytes - at, tokens, &count);
    for (size_t i = 0; code >= 0 && i < count; ++i) code = saffu_pack_token(tokens[i]);
  }
  return code < 0 ? code : saffu_packed();
}

int32_t saffu_pack(const char *message, size_t bytes, uint8_t *frame, size_t room) {
  const int32_t coded = code_of(message, bytes);
  if (coded < 0 && coded != SAFFU_FULL) return coded;
  if (coded >= 0 && (size_t)coded <= bytes + 1) {
    if ((size_t)coded > room) return SAFFU_FULL;
    if (coded > 0) memcpy(frame, saffu_frame(), (size_t)coded);
    return coded;
  }
  if (bytes >= room || bytes >= INT32_MAX) return SAFFU_FULL;
  frame[0] = LITERAL;
  if (bytes > 0) memcpy(frame + 1, message, bytes);
  return (int32_t)bytes + 1;
}

int32_t saffu_unpack(const uint8_t *frame, size_t bytes, char *message, size_t room) {
  if (bytes > 0 && frame[0] == LITERAL) {
    if (bytes - 1 > room || bytes > INT32_MAX) return SAFFU_FULL;
    memcpy(message, frame + 1, bytes - 1);
    return (int32_t)bytes - 1;
  }
  if (bytes > SAFFU_PACK) return SAFFU_OUT_OF_RANGE;
  int32_t code = begin();
  if (code < 0) return code;
  if (bytes > 0) memcpy(saffu_frame(), frame, bytes);
  if ((code = saffu_unpack_from(SAFFU_BEGIN, (uint32_t)bytes)) < 0) return code;
  size_t filled = 0, length;
  while ((code = saffu_unpack_token()) >= 0) {
    const uint8_t *of = saffu_token((uint32_t)code, &length);
    if (length > room - filled) return SAFFU_FULL;
    memcpy(message + filled, of, length);
    filled += length;
  }
  return code == SAFFU_ENDED ? (int32_t)filled : code;
}
