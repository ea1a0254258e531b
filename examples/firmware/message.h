/*
 * Messages as few bytes, to and from whoever has the same model in the same state: the frames of model.pack (docs/messages.md). The context is
 * emptied by either call. Nothing is allocated; a message is looked at piece by piece.
 */
#ifndef SAFFU_MESSAGE_H
#define SAFFU_MESSAGE_H
#include <stddef.h>
#include <stdint.h>

/*
 * Packs a message of `bytes` bytes, any bytes, into `frame`, which has room for `room`. Returns the bytes of the frame, at most one more than
 * the message has, and none of an empty one. SAFFU_FULL: it needs more room; READ_FAILED, RUNTIME. For ASCII the frame is the host's, to the
 * byte; other letters may take other tokens, and the host reads them all the same.
 */
int32_t saffu_pack(const char *message, size_t bytes, uint8_t *frame, size_t room);
/*
 * The message of a frame, in `message`, which has room for `room` bytes. Returns its bytes. SAFFU_FULL: it has more; NO_MESSAGE: the frame is
 * damaged, or of another model; OUT_OF_RANGE: a frame of more than SAFFU_PACK bytes; READ_FAILED, RUNTIME. Then `message` holds nothing of use.
 */
int32_t saffu_unpack(const uint8_t *frame, size_t bytes, char *message, size_t room);

#endif
