/* Numbers that are the arguments of one call of a function of vectors. */
typedef T Lanes __attribute__((vector_size(L * sizeof(T)), may_alias));

/* K steps of rows `begin` to `end`, one row after the other, with the arguments of the steps of many
   rows at once. The arrays of a row are only read and written at constant indices, so that the
   compiler keeps their numbers in registers through all steps. */
void advance(long begin, long end, long n, long K, T *x_, T *loss, T *norm_, const T *rate_,
             long stride, const T *noise_, const T *column_, T *memory, T *summary)
{
  for (long i = begin; i < end; i++) {
    T x[D], state[S + 1], column[C + 1];
    T least_norm = HUGE, least = HUGE, at = 0, finite = 0, greatest = 0;
/* BEGIN */
    for (long k = 0; k < K; k++) {
      T *after = x_ + (k + 1) * D * n + i;
      const T rate = rate_[k * stride + i], *noise = noise_ + k * D * n + i;
/* STEP */
      loss[k * n + i] = value;
      norm_[k * n + i] = norm;
      least_norm = norm < least_norm ? norm : least_norm;
      at = value < least ? (T)k : at;
      least = value < least ? value : least;
      finite += (all + value + norm) * 0;
      const T size = value < 0 ? -value : value;
      greatest = size > greatest ? size : greatest;
    }
/* END */
    summary[i] = least_norm;
    summary[n + i] = least;
    summary[2 * n + i] = at;
    summary[3 * n + i] = finite;
    summary[4 * n + i] = greatest;
  }
}
