/* A block whose threads wait for each other: each runs up to where it waits, and is resumed. */
#include <stdlib.h>
enum { DONE, BLOCK, WARP, READY };
enum { ENDED = 1, APART, STUCK, RACE };
typedef struct { REGISTERS int at, shuffles; uint32_t mask; } state;

/* Shared memory; who wrote each byte last, and who read it (-1: several), and in which epoch: the
   time between two barriers. */
static _Alignas(16) uint8_t room[ROOM];
static struct { int writer, reader; uint32_t wrote, read; } last[ROOM];
static uint32_t epoch;
static int raced;

static inline uint64_t touched(uint64_t address, int size, int me, int write) {
  uint64_t at = address - (uint64_t)room;
  if (at >= ROOM) return address;
  for (int k = 0; k < size; k++) {
    __typeof__(last[0]) *byte = &last[at + k];
    if (byte->wrote == epoch && byte->writer != me) raced = 1;
    if (write) {
      if (byte->read == epoch && byte->reader != me) raced = 1;
      byte->wrote = epoch, byte->writer = me;
    } else {
      byte->reader = byte->read == epoch && byte->reader != me ? -1 : me;
      byte->read = epoch;
    }
  }
  return address;
}

/* What the threads of warps give each other: there is room for two values of each, so that one that
   goes on to the next exchange leaves the last one to the others. */
static uint32_t exchanged[2][1024];
static uint32_t threads;

static inline void give(state *self, int me, uint32_t value, uint32_t mask) {
  exchanged[++self->shuffles & 1][me] = value, self->mask = mask;
}
static inline const uint32_t *taken(const state *self, int me) {
  return exchanged[self->shuffles & 1] + (me & ~31);
}
static inline uint32_t present(int me) {
  uint32_t count = threads - (me & ~31);
  return count >= 32 ? 0xffffffffu : (1u << count) - 1;
}
static inline uint32_t ballot(const uint32_t *given, uint32_t mask) {
  uint32_t bits = 0;
  for (int k = 0; k < 32; k++) bits |= (uint32_t)((mask >> k & 1) && given[k]) << k;
  return bits;
}
static inline int lane_within(int lane, int from, int valid, int *told) {
  return (*told = valid) ? from : lane;
}
#define LIMITS uint32_t segment = clamp >> 8 & 31, low = lane & segment; \
  int most = low | (clamp & 31 & ~segment), by = far & 31
static inline int lane_up(int lane, uint32_t far, uint32_t clamp, int *told) {
  LIMITS; return lane_within(lane, lane - by, lane - by >= most, told);
}
static inline int lane_down(int lane, uint32_t far, uint32_t clamp, int *told) {
  LIMITS; return lane_within(lane, lane + by, lane + by <= most, told);
}
static inline int lane_bfly(int lane, uint32_t far, uint32_t clamp, int *told) {
  LIMITS; return lane_within(lane, lane ^ by, (lane ^ by) <= most, told);
}
static inline int lane_idx(int lane, uint32_t far, uint32_t clamp, int *told) {
  LIMITS; int from = low | (by & ~segment); return lane_within(lane, from, from <= most, told);
}

/* THREAD */

static uint64_t random_state;
static uint32_t below(uint32_t n) {
  random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
  return (random_state >> 33) % n;
}

static int block(const uint64_t *P, dim ctaid, dim ntid, dim nctaid, state *all, int *is, uint32_t *turn) {
  memset(all, 0, threads * sizeof *all);
  memset(room, 0xA5, ROOM);
  memset(exchanged, 0xA5, sizeof exchanged);
  epoch++;
  for (uint32_t i = 0; i < threads; i++) is[i] = READY, turn[i] = i;
  for (uint32_t left = threads; left;) {
    int moved = 0;
    for (uint32_t j = threads; j > 1; j--) {
      uint32_t k = below(j), i = turn[k];
      turn[k] = turn[j - 1], turn[j - 1] = i;
    }
    for (uint32_t j = 0; j < threads; j++) {
      uint32_t i = turn[j];
      if (is[i] != READY) continue;
      dim tid = {i % ntid.x, i / ntid.x % ntid.y, i / ntid.x / ntid.y};
      is[i] = thread(all + i, P, tid, ctaid, ntid, nctaid);
      left -= is[i] == DONE, moved = 1;
    }
    if (raced) { raced = 0; return RACE; }
    for (uint32_t i = 0; i < threads; i++) {  /* with those of its warp that it waits for */
      if (is[i] != WARP) continue;
      uint32_t first = i & ~31u, wanted = all[i].mask & present(i);
      int here = 1;
      for (uint32_t k = 0; k < 32; k++)
        if (wanted >> k & 1) here &= is[first + k] == WARP && all[first + k].at == all[i].at;
      if (!here) continue;
      for (uint32_t k = 0; k < 32; k++)
        if (wanted >> k & 1) is[first + k] = READY;
      moved = 1;
    }
    uint32_t waiting = 0, place = 0;
    for (uint32_t i = 0; i < threads; i++) waiting += is[i] == BLOCK;
    if (waiting && waiting == left) {
      if (left < threads) return ENDED;
      for (uint32_t i = 0; i < threads; i++)
        if (all[i].at != all[0].at) return APART;
      for (uint32_t i = 0; i < threads; i++) is[i] = READY;
      epoch++, moved = 1;
    }
    if (!moved) return STUCK;
  }
  return 0;
}

int launch(const uint64_t *P, const uint32_t *g, const uint32_t *t, const uint32_t *order) {
  dim nctaid = {g[0], g[1], g[2]}, ntid = {t[0], t[1], t[2]};
  threads = t[0] * t[1] * t[2];
  state *all = malloc(threads * sizeof *all);
  int *is = malloc(threads * sizeof *is), code = 0;
  uint32_t *turn = malloc(threads * sizeof *turn);
  begin();
  for (uint64_t k = 0; k < (uint64_t)g[0] * g[1] * g[2] && !code; k++) {
    uint32_t b = this_block = order[k];
    random_state += b;
    dim ctaid = {b % g[0], b / g[0] % g[1], b / g[0] / g[1]};
    code = block(P, ctaid, ntid, nctaid, all, is, turn);
  }
  free(all), free(is), free(turn);
  return code ? code : met ? 5 : 0;
}
