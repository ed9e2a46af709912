/* Products and sums over arrays whose last axis are the examples, by the threads of a block. A thread
   computes the same examples in every loop; BARRIER lies between what one thread writes and another
   reads. Every sum runs in order. */

#define GREATER(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))

/* The sum of n numbers that lie one after the other. */
FUNCTION T sum_of(long n, const T *a)
{
  T s = 0;
  for (long i = 0; i < n; i++) s += a[i];
  return s;
}

/* The greatest of n numbers that lie one after the other; NaN if one of them is. */
FUNCTION T greatest_of(long n, const T *a)
{
  T s = a[0];
  for (long i = 1; i < n; i++) s = GREATER(a[i], s);
  return s;
}

/* out (M, m) = w (M, K) times a (K, m): the product of a matrix that all examples share and one array
   per example. */
FUNCTION void product(long M, long K, long m, const T *w, long row, long column, const T *a,
                      long step, T *out, long next)
{
  for (long i = 0; i < M; i++)
    FOR_EACH(n, m) {
      T s = 0;
      for (long k = 0; k < K; k++) s = FMA(w[i * row + k * column], a[k * step + n], s);
      out[i * next + n] = s;
    }
}

/* out (M, K) += d (M, n) times the transpose of a (K, n): the sum over n examples. */
FUNCTION void outer(long M, long K, long n, const T *d, long first, const T *a, long second, T *out,
                    long row, long column)
{
  FOR_EACH(p, M * K) {
    const long i = p / K, j = p % K;
    T s = 0;
    for (long t = 0; t < n; t++) s = FMA(d[i * first + t], a[j * second + t], s);
    out[i * row + j * column] += s;
  }
}
