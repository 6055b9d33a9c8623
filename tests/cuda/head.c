#include <math.h>
#include <stdint.h>
#include <string.h>
#define READ(t, u, name) static inline t name(u b) { t v; memcpy(&v, &b, sizeof v); return v; }
READ(double, uint64_t, as_f64) READ(float, uint32_t, as_f32) READ(_Float16, uint16_t, as_f16)
READ(uint64_t, double, of_f64) READ(uint32_t, float, of_f32) READ(uint16_t, _Float16, of_f16)
typedef struct { uint32_t x, y, z; } dim;
uint64_t vectors, misaligned, loads, stores;
static inline void vector(uint64_t at, int size) { vectors++; misaligned += at % size != 0; }
/* Which block wrote an element last in this launch; of many elements some are not noted. */
static struct { uint64_t at; uint32_t launch, block; } written[1 << 16];
static uint32_t launches, noted, this_block;
static int met;
static inline int place_of(uint64_t at) {
  uint32_t k = (at * 0x9E3779B97F4A7C15ull) >> 48;
  while (written[k].launch == launches && written[k].at != at) k = (k + 1) & 0xFFFF;
  return k;
}
static inline int theirs(uint64_t at) {
  int k = place_of(at);
  return written[k].launch == launches && written[k].block != this_block;
}
static inline uint64_t ours(uint64_t at) { loads++, met |= theirs(at); return at; }
static inline void write(uint64_t at) {
  int k = place_of(at);
  if (written[k].launch != launches && noted++ > 1 << 15) return;
  written[k].at = at, written[k].launch = launches, written[k].block = this_block;
}
static inline void begin(void) { launches++, noted = met = 0; }
#define STORE(t, place, value) { uint64_t at_ = (place); t v_ = (value); \
  stores++, met |= theirs(at_) && *(t*)at_ != v_; write(at_); *(t*)at_ = v_; }
