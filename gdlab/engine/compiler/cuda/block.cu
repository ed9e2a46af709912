enum { ALIGNMENT = 16, WORK = CP + 2 * DP + ALIGNMENT + TILE + SHARED };

/* FUNCTIONS */

/* K steps of each row, a row on a block of threads.

   point   the points (K + 1, n, D): the first one is read, the next K are written
   loss    losses at the first K points (K, n)
   norm    gradient norms there
   rate    learning rates; `stride` is n, or 0 if they are constant
   noise   added to the gradients (K, D, n), if the step has noise
   column  settings that differ between rows (C, n)
   memory  the state of the optimizer (n, SP), before and after
   summary as in advance.c (5, n)
   example the tables of examples one after the other, each (width, count)
   weight  of each example in the mean (count,); 0 for padding
   work    WORK numbers of memory for each block */
KERNEL void advance(long long n, long long K, T *point_, T *loss, T *norm_, const T *rate_,
                    long long stride, const T *noise, const T *column_, T *memory, T *summary,
                    const T *example, const T *weight, long long count, T *work_)
{
  T *const column = work_ + BLOCK * WORK, *const slope = column + CP, *const at = slope + DP;
  T *const ignored = at + DP, *const tile = ignored + ALIGNMENT, *const arrays = tile + TILE;
  Examples all;
  for (int t = 0; t < TABLES; t++) {
    all.table[t] = example;
    example += widths[t] * count;
  }
  all.weight = weight;
  all.stride = all.count = count;
  for (long long i = BLOCK; i < n; i += BLOCKS) {
    T least_norm = HUGE, least = HUGE, best = 0, finite = 0, greatest = 0;
    T *const state = memory + i * SP;
    FOR_EACH(c, C) column[c] = column_[c * n + i];
    BARRIER
    for (long long k = 0; k < K; k++) {
      T *const point = point_ + (k * n + i) * D, *const after = point + n * D;
      T *const value = loss + k * n + i, *const norm = norm_ + k * n + i;
      gradient(1, point, column, value, slope, &all, arrays, tile);
      length(1, slope, norm, &all, arrays, tile);
      const T size = *value < 0 ? -*value : *value;
      least_norm = *norm < least_norm ? *norm : least_norm;
      best = *value < least ? (T)k : best;
      least = *value < least ? *value : least;
      finite += (sum_of(D, point) + *value + *norm) * 0;
      greatest = size > greatest ? size : greatest;
      if (QUERIES) {
        query(1, point, column, state, at, &all, arrays, tile);
        gradient(1, at, column, ignored, slope, &all, arrays, tile);
      }
      if (NOISY) {
        FOR_EACH(d, D) slope[d] += noise[(k * D + d) * n + i];
        BARRIER
      }
      T rate = rate_[k * stride + i];
      update(1, point, slope, &rate, column, state, after, &all, arrays, tile);
    }
    ALONE {
      summary[i] = least_norm;
      summary[n + i] = least;
      summary[2 * n + i] = best;
      summary[3 * n + i] = finite;
      summary[4 * n + i] = greatest;
    }
    BARRIER
  }
}
