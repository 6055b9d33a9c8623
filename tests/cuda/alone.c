/* What runs the threads of a grid one after the other. */
int launch(const uint64_t *P, const uint32_t *g, const uint32_t *t, const uint32_t *order) {
  dim nctaid = {g[0], g[1], g[2]}, ntid = {t[0], t[1], t[2]};
  begin();
  for (uint64_t k = 0; k < (uint64_t)g[0] * g[1] * g[2]; k++) {
    uint32_t b = this_block = order[k];
    dim ctaid = {b % g[0], b / g[0] % g[1], b / g[0] / g[1]};
    for (uint32_t z = 0; z < t[2]; z++) for (uint32_t y = 0; y < t[1]; y++)
      for (uint32_t x = 0; x < t[0]; x++) thread(P, (dim){x, y, z}, ctaid, ntid, nctaid);
  }
  return met ? 5 : 0;
}
