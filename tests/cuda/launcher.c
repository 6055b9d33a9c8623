/* What launches on a device that is none, as cuLaunchKernel does: kernels are functions over their
   parameters' values, sixteen bytes each, and over the blocks in an order that is shuffled. Like a
   driver's, launches of several threads are done one after the other. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int64_t launches, failing; uint64_t seed; uint32_t grid[6]; } driver;
typedef int function(const uint64_t *, const uint32_t *, const uint32_t *, const uint32_t *);
typedef struct {
  driver *on;
  function *run;
  int64_t count;
  const int64_t *sizes;
  uint64_t *misaligned;
} kernel;

static atomic_flag busy = ATOMIC_FLAG_INIT;

static uint64_t random_word(driver *d) {
  d->seed ^= d->seed << 13, d->seed ^= d->seed >> 7, d->seed ^= d->seed << 17;
  return d->seed;
}

int enter(void *context) { return context == (void *)1234 ? 0 : 201; }

static int launched(kernel *k, uint32_t gx, uint32_t gy, uint32_t gz, uint32_t bx, uint32_t by,
                    uint32_t bz, void **parameters) {
  if (k->on->failing >= 0 && k->on->failing-- == 0) return 999;
  k->on->launches++;
  uint32_t grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
  memcpy(k->on->grid, grid, 12), memcpy(k->on->grid + 3, block, 12);
  uint64_t blocks = (uint64_t)gx * gy * gz;
  uint64_t *words = calloc(k->count + 1, 16);
  uint32_t *order = malloc(4 * blocks);
  for (int64_t p = 0; p < k->count; p++) memcpy(words + 2 * p, parameters[p], k->sizes[p]);
  for (uint64_t b = 0; b < blocks; b++) order[b] = b;
  for (uint64_t b = blocks; b > 1; b--) {
    uint64_t other = random_word(k->on) % b;
    uint32_t kept = order[b - 1];
    order[b - 1] = order[other], order[other] = kept;
  }
  int code = k->run(words, grid, block, order);
  free(words), free(order);
  if (!code && *k->misaligned) code = 6, *k->misaligned = 0;
  return code;
}

int launch_kernel(kernel *k, uint32_t gx, uint32_t gy, uint32_t gz, uint32_t bx, uint32_t by,
                  uint32_t bz, uint32_t shared, void *stream, void **parameters, void **extra) {
  while (atomic_flag_test_and_set(&busy)) {}
  int code = launched(k, gx, gy, gz, bx, by, bz, parameters);
  atomic_flag_clear(&busy);
  return code;
}
