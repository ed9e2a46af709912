/* Products and sums over arrays whose last axis are the examples, in vectors of L numbers. Every sum
   runs in an order that depends on shapes only. */

enum { L = 64 / sizeof(T) };
typedef T V __attribute__((vector_size(64), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* a b + c, rounded once */
INLINE V multiply_add(V a, V b, V c)
{
#if defined(__AVX512F__)
  return sizeof(T) == 8 ? (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c)
                        : (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
  V r;
  for (int l = 0; l < L; l++) r[l] = FMA(a[l], b[l], c[l]);
  return r;
#endif
}

INLINE V repeat(T a) { return a - (V){}; }

/* The sum of the numbers of a vector: of its halves, of their halves, and so on. */
INLINE T total(V a)
{
  T s[L];
  for (int l = 0; l < L; l++) s[l] = a[l];
  UNROLL
  for (int half = L / 2; half; half /= 2)
    for (int l = 0; l < half; l++) s[l] += s[l + half];
  return s[0];
}

/* The sum of n numbers that lie one after the other. */
INLINE T sum_of(long n, const T *a)
{
  T s[L] = {0}, rest = 0;
  long i = 0;
  for (; i + L <= n; i += L)
    for (int l = 0; l < L; l++) s[l] += a[i + l];
  for (; i < n; i++) rest += a[i];
  for (int half = L / 2; half; half /= 2)
    for (int l = 0; l < half; l++) s[l] += s[l + half];
  return s[0] + rest;
}

/* out (M, N L) = w (M, K) times a (K, N L): the product of a matrix that all examples share and one
   array per example. A tile of m × q vectors of the result stays in registers. */
#define PRODUCT(m, q)                                                                              \
  INLINE void product_##m##_##q(long K, const T *w, long row, long column, const T *a, long step,  \
                                T *out, long next)                                                 \
  {                                                                                                \
    V s[m][q];                                                                                     \
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < q; j++) s[i][j] = repeat(0);     \
    for (long k = 0; k < K; k++) {                                                                 \
      V b[q];                                                                                      \
      UNROLL for (int j = 0; j < q; j++) b[j] = *(const V *)(a + k * step + j * L);                \
      UNROLL for (int i = 0; i < m; i++) {                                                         \
        const V c = repeat(w[i * row + k * column]);                                               \
        UNROLL for (int j = 0; j < q; j++) s[i][j] = multiply_add(c, b[j], s[i][j]);               \
      }                                                                                            \
    }                                                                                              \
    UNROLL for (int i = 0; i < m; i++)                                                             \
      UNROLL for (int j = 0; j < q; j++) *(V *)(out + i * next + j * L) = s[i][j];                 \
  }
PRODUCT(4, 4) PRODUCT(4, 1) PRODUCT(1, 4) PRODUCT(1, 1)

static __attribute__((noinline)) void product(long M, long K, long m, const T *w, long row, long column, const T *a,
                    long step, T *out, long next)
{
  long n = 0;
  for (; n + 4 * L <= m; n += 4 * L) {
    long i = 0;
    for (; i + 4 <= M; i += 4)
      product_4_4(K, w + i * row, row, column, a + n, step, out + i * next + n, next);
    for (; i < M; i++)
      product_1_4(K, w + i * row, row, column, a + n, step, out + i * next + n, next);
  }
  for (; n < m; n += L) {
    long i = 0;
    for (; i + 4 <= M; i += 4)
      product_4_1(K, w + i * row, row, column, a + n, step, out + i * next + n, next);
    for (; i < M; i++)
      product_1_1(K, w + i * row, row, column, a + n, step, out + i * next + n, next);
  }
}

/* out (M, K) += d (M, m) times the transpose of a (K, m): the sum over m examples. */
#define OUTER(m, q)                                                                                \
  INLINE void outer_##m##_##q(long n, const T *d, long first, const T *a, long second, T *out,     \
                              long row, long column)                                               \
  {                                                                                                \
    V s[m][q];                                                                                     \
    UNROLL for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < q; j++) s[i][j] = repeat(0);     \
    for (long t = 0; t < n; t += L) {                                                              \
      V b[q];                                                                                      \
      UNROLL for (int j = 0; j < q; j++) b[j] = *(const V *)(a + j * second + t);                  \
      UNROLL for (int i = 0; i < m; i++) {                                                         \
        const V c = *(const V *)(d + i * first + t);                                               \
        UNROLL for (int j = 0; j < q; j++) s[i][j] = multiply_add(c, b[j], s[i][j]);               \
      }                                                                                            \
    }                                                                                              \
    UNROLL for (int i = 0; i < m; i++)                                                             \
      UNROLL for (int j = 0; j < q; j++) out[i * row + j * column] += total(s[i][j]);              \
  }
OUTER(4, 4) OUTER(4, 1) OUTER(1, 4) OUTER(1, 1)

static __attribute__((noinline)) void outer(long M, long K, long m, const T *d, long first, const T *a, long second, T *out,
                  long row, long column)
{
  long i = 0;
  for (; i + 4 <= M; i += 4) {
    long j = 0;
    for (; j + 4 <= K; j += 4)
      outer_4_4(m, d + i * first, first, a + j * second, second, out + i * row + j * column, row,
                column);
    for (; j < K; j++)
      outer_4_1(m, d + i * first, first, a + j * second, second, out + i * row + j * column, row,
                column);
  }
  for (; i < M; i++) {
    long j = 0;
    for (; j + 4 <= K; j += 4)
      outer_1_4(m, d + i * first, first, a + j * second, second, out + i * row + j * column, row,
                column);
    for (; j < K; j++)
      outer_1_1(m, d + i * first, first, a + j * second, second, out + i * row + j * column, row,
                column);
  }
}
