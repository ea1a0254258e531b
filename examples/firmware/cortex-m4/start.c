/* What stands before main on a bare Cortex-M4, and what it took of the RAM. Semihosting, newlib's rdimon, carries stdio. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char bss_start[], bss_end[], data_start[], heap_start[], stack_bottom[], stack_top[]; /* link.ld */
extern void initialise_monitor_handles(void);
extern int main(void);

enum { PAINT = 0xa5 };

void reset(void);
void reset(void) {
  *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; /* CPACR: the FPU is off after a reset */
  __asm volatile("dsb\n isb");
  memset(bss_start, 0, (size_t)(bss_end - bss_start));
  char *here = __builtin_frame_address(0);
  memset(stack_bottom, PAINT, (size_t)(here - 64 - stack_bottom));
  initialise_monitor_handles();
  const int status = main();
  const char *untouched = stack_bottom;
  while (*untouched == PAINT) ++untouched;
  fprintf(stderr, "RAM in bytes: static %lu, heap %lu, stack %lu\n", (unsigned long)(bss_end - data_start),
          (unsigned long)((char *)sbrk(0) - heap_start), (unsigned long)(stack_top - untouched));
  fflush(NULL);
  _exit(status);
}

static void hang(void) {
  for (;;) continue;
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang};
