#if defined(__AVX__) && RECORDED
/* 32 bytes. The header of the compiler that has names for these instructions takes longer to read
   than all the rest takes to compile. */
typedef long long Vector __attribute__((vector_size(32), may_alias));
typedef long long Unaligned __attribute__((vector_size(32), may_alias, aligned(1)));
#ifdef __clang__
#define STREAM(to, from) __builtin_nontemporal_store((Vector)(from), to)
#else
#define STREAM(to, from) __builtin_ia32_movntdq256(to, from)
#endif
#endif

/* Write B numbers. Those of all records are not read again soon: non-temporal stores bypass the
   caches, which would first fetch what is overwritten; they need addresses that are multiples of 32
   bytes. */
static inline void put(T *to, const T *from)
{
#if defined(__AVX__) && RECORDED
  if ((unsigned long)to % 32 == 0) {
    for (int l = 0; l < B; l += 32 / sizeof(T))
      STREAM((Vector *)(to + l), *(const Unaligned *)(from + l));
    return;
  }
#endif
  for (int l = 0; l < B; l++) to[l] = from[l];
}

/* K steps of rows `begin` to `end`, a multiple of B rows; n is the number of all rows.

   x       with RECORDED, the points (K + 1, D, n): the first one is read, the next K are written;
           else (3, D, n): the first one is read, the K-th and the one after it are written
   loss    losses at the first K points; without RECORDED, at the last W of them
   norm    gradient norms there
   rate    learning rates; `stride` is n, or 0 if they are constant
   noise   added to the gradients, if the step has noise
   column  settings that differ between rows
   memory  the state of the optimizer, before and after
   summary for each row: the smallest norm, the smallest loss, its record, NaN if any number was
           not finite, the largest |loss|
   best    without RECORDED, the point that has the smallest loss (D, n) */
void advance(long begin, long end, long n, long K, T *x_, T *loss, T *norm_, const T *rate_,
             long stride, const T *noise_, const T *column_, T *memory, T *summary
#if !RECORDED
             , T *best_, long W
#endif
             )
{
  for (long i = begin; i < end; i += B) {
    T x[D][B], state[S + 1][B], least_norm[B], least[B], at[B], finite[B], greatest[B];
    T values[B], norms[B];
#if !RECORDED
    T best[D][B];
    for (int d = 0; d < D; d++)
      for (int l = 0; l < B; l++) best[d][l] = x_[d * n + i + l];
#endif
    const T *column = column_ + i;
    for (int l = 0; l < B; l++) {
      for (int d = 0; d < D; d++) x[d][l] = x_[d * n + i + l];
      for (int s = 0; s < S; s++) state[s][l] = memory[s * n + i + l];
      least_norm[l] = least[l] = HUGE;
      at[l] = finite[l] = greatest[l] = 0;
    }
    for (long k = 0; k < K; k++) {
#if !RECORDED
      if (k == K - 1)
        for (int d = 0; d < D; d++) put(x_ + (D + d) * n + i, x[d]);
#endif
      const T *rate = rate_ + k * stride + i, *noise = noise_ + k * D * n + i;
      #pragma omp simd
      for (int l = 0; l < B; l++) {
/* STEP */
#if !RECORDED
/* BEST */
#endif
/* MOVE */
        values[l] = value;
        norms[l] = norm;
        least_norm[l] = norm < least_norm[l] ? norm : least_norm[l];
        at[l] = value < least[l] ? (T)k : at[l];
        least[l] = value < least[l] ? value : least[l];
        finite[l] += (all + value + norm) * 0;
        const T size = value < 0 ? -value : value;
        greatest[l] = size > greatest[l] ? size : greatest[l];
      }
#if RECORDED
      for (int d = 0; d < D; d++) put(x_ + ((k + 1) * D + d) * n + i, x[d]);
      const long record = k;
#else
      const long record = k - (K - W);
      if (record < 0) continue;
#endif
      put(loss + record * n + i, values);
      put(norm_ + record * n + i, norms);
    }
#if !RECORDED
    for (int d = 0; d < D; d++) {
      put(x_ + (2 * D + d) * n + i, x[d]);
      put(best_ + d * n + i, best[d]);
    }
#endif
    for (int l = 0; l < B; l++) {
      for (int s = 0; s < S; s++) memory[s * n + i + l] = state[s][l];
      summary[i + l] = least_norm[l];
      summary[n + i + l] = least[l];
      summary[2 * n + i + l] = at[l];
      summary[3 * n + i + l] = finite[l];
      summary[4 * n + i + l] = greatest[l];
    }
  }
#if defined(__AVX__) && RECORDED
  __builtin_ia32_sfence(); /* from now on, other threads may read what was written */
#endif
}
