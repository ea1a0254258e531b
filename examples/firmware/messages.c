/*
 * Packs each line of standard input into a line of hexadecimal digits, or (`messages unpack`) the other way round:
 *
 *     echo "on my way" | messages | messages unpack
 */
#include "device.h"
#include "message.h"
#include "saffu_model.h"
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 240 }; /* of a message: what a LoRa frame carries, and more than the example needs */

static char message[MOST_BYTES];
static uint8_t frame[MOST_BYTES + 1];

/* A line of up to `room` bytes without its newline: its bytes; -1 at the end of the input, -2 where it is longer. */
static long read_line(char *line, size_t room) {
  size_t length = 0;
  int c;
  while ((c = getchar()) != EOF && c != '\n') {
    if (length < room) line[length] = (char)c;
    ++length;
  }
  return c == EOF && length == 0 ? -1 : length > room ? -2 : (long)length;
}

static int digit(char c) {
  static const char DIGITS[] = "0123456789abcdef";
  const char *found = c ? strchr(DIGITS, c) : NULL;
  return found ? (int)(found - DIGITS) : -1;
}

/* Bytes of a line of hexadecimal digits; -1 where it is none. */
static int32_t from_hex(const char *line, long length) {
  if (length % 2 || length / 2 > (long)sizeof frame) return -1;
  for (long i = 0; i < length; i += 2) {
    const int high = digit(line[i]), low = digit(line[i + 1]);
    if (high < 0 || low < 0) return -1;
    frame[i / 2] = (uint8_t)(16 * high + low);
  }
  return (int32_t)(length / 2);
}

int main(int arguments, char **words) {
  static char line[2 * sizeof frame];
  const int unpacks = arguments > 1 && !strcmp(words[1], "unpack");
  const int32_t started = saffu_start();
  if (started < 0) {
    fprintf(stderr, "%s: %s\n", saffu_meaning(started), saffu_error());
    return 1;
  }
  for (long length; (length = read_line(line, unpacks ? sizeof line : MOST_BYTES)) != -1;) {
    int32_t bytes = length < 0 ? SAFFU_FULL : unpacks ? from_hex(line, length) : (int32_t)length;
    if (bytes >= 0) {
      bytes = unpacks ? saffu_unpack(frame, (size_t)bytes, message, sizeof message)
                      : saffu_pack(line, (size_t)bytes, frame, sizeof frame);
    }
    if (bytes < 0) printf("! %ld", (long)bytes);
    else if (unpacks) fwrite(message, 1, (size_t)bytes, stdout);
    else for (int32_t i = 0; i < bytes; ++i) printf("%02x", frame[i]);
    putchar('\n');
  }
  return 0;
}
