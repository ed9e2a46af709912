/* K steps of row ROW, on a thread of its own. The arrays of a row are only read and written at
   constant indices, so that its point and its state stay in registers through all steps. Rows that
   are neighbors write to neighboring addresses.

   x       with RECORDED, the points (K + 1, D, n): the first one is read, the next K are written;
           else (3, D, n): the first one is read, the K-th and the one after it are written
   loss    losses at the last W of the first K points, all of them where W = K
   norm    gradient norms there
   best    without RECORDED, the point that has the smallest loss (D, n)

   The other arguments are those of advance.c. */
KERNEL void advance(long long n, long long K, long long W, T *x_, T *loss, T *norm_, const T *rate_,
                    long long stride, const T *noise_, const T *column_, T *memory, T *summary,
                    T *best_)
{
  const long long i = ROW;
  if (i >= n) return;
  T x[D], state[S + 1], column[C + 1];
  T least_norm = HUGE, least = HUGE, at = 0, finite = 0, greatest = 0;
/* BEGIN */
#if !RECORDED
  T best[D];
  for (int d = 0; d < D; d++) best[d] = x[d];
#endif
  for (long long k = 0; k < K; k++) {
    const T rate = rate_[k * stride + i], *noise = noise_ + k * D * n + i;
/* STEP */
    const T size = value < 0 ? -value : value;
    const int is_less = value < least;
#if !RECORDED
    for (int d = 0; d < D; d++) best[d] = is_less ? x[d] : best[d];
    if (k == K - 1)
      for (int d = 0; d < D; d++) x_[(D + d) * n + i] = x[d];
#endif
    least_norm = norm < least_norm ? norm : least_norm;
    at = is_less ? (T)k : at;
    least = is_less ? value : least;
    finite += (all + value + norm) * 0;
    greatest = size > greatest ? size : greatest;
    if (k >= K - W) {
      loss[(k - (K - W)) * n + i] = value;
      norm_[(k - (K - W)) * n + i] = norm;
    }
/* MOVE */
#if RECORDED
    T *after = x_ + (k + 1) * D * n + i;
    for (int d = 0; d < D; d++) after[d * n] = x[d];
#endif
  }
/* END */
#if !RECORDED
  for (int d = 0; d < D; d++) {
    x_[(2 * D + d) * n + i] = x[d];
    best_[d * n + i] = best[d];
  }
#endif
  summary[i] = least_norm;
  summary[n + i] = least;
  summary[2 * n + i] = at;
  summary[3 * n + i] = finite;
  summary[4 * n + i] = greatest;
}
