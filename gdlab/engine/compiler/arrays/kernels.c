/* Products and sums over arrays whose last axis are the examples, in vectors of L numbers. Every sum
   runs in an order that depends on shapes only. */

enum { L = 64 / sizeof(T) };
typedef T V __attribute__((vector_size(64), may_alias));
typedef T W __attribute__((vector_size(64), may_alias, aligned(sizeof(T)))); /* anywhere */
#define GREATER(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* What is written for any number of threads: here, one computes all. */
#define FUNCTION static
#define CONSTANT static const
#define ALONE
#define BARRIER
#define FOR_EACH(i, n) _Pragma("omp simd") for (long i = 0; i < n; i++)
#define FOR_EACH_EXAMPLE \
  for (int u = 0; u < w; u += L) _Pragma("omp simd") for (int l = 0; l < L; l++)

/* Blocks of s numbers of two vectors in turn: the even ones (h = 0) or the odd ones (h = 1). */
#define AT(e, s, h) ((e) & (s) ? L + (e) - (s) * !(h) : (e) + (s) * (h))
#define AT4(e, s, h) AT(e, s, h), AT(e + 1, s, h), AT(e + 2, s, h), AT(e + 3, s, h)
#if defined(IS_DOUBLE)
typedef long Mask __attribute__((vector_size(64)));
#define PLACES(s, h) AT4(0, s, h), AT4(4, s, h)
#else
typedef int Mask __attribute__((vector_size(64)));
#define PLACES(s, h) AT4(0, s, h), AT4(4, s, h), AT4(8, s, h), AT4(12, s, h)
#endif
#define BLOCKS(a, b, s, h) (V)__builtin_shuffle((Mask)(a), (Mask)(b), (Mask){PLACES(s, h)})

/* a b + c, rounded once. Of the loop, gcc makes the same instruction, but loads a and b anew for each. */
INLINE V multiply_add(V a, V b, V c)
{
#if defined(__AVX512F__) && !defined(__clang__) && defined(IS_DOUBLE)
  return (V)__builtin_ia32_vfmaddpd512_mask(a, b, c, -1, 4);
#elif defined(__AVX512F__) && !defined(__clang__)
  return (V)__builtin_ia32_vfmaddps512_mask(a, b, c, -1, 4);
#else
  V r;
  for (int l = 0; l < L; l++) r[l] = FMA(a[l], b[l], c[l]);
  return r;
#endif
}

INLINE V repeat(T a) { return a - (V){}; }

/* tanh x = u / (u + 2) with u = exp(2|x|) - 1 = 2^k (exp(r) - 1) + 2^k - 1, |r| <= log(2) / 2, and exp(r) - 1
   by its Taylor polynomial: within 1.5 units in the last place, twice as fast as that of libmvec. */
INLINE T tanh_of(T x)
{
#if defined(IS_DOUBLE)
  typedef long Bits;
  enum { DIGITS = 52, BIAS = 1023, TERMS = 13 };
  const T high = 0x1.62e42fefa39efp-1, low = 0x1.abc9e3b39803fp-56, most = 40;
#else
  typedef int Bits;
  enum { DIGITS = 23, BIAS = 127, TERMS = 7 };
  const T high = 0x1.62e43p-1, low = -0x1.05c61p-29, most = 20;
#endif
  static const T inverse[] = {ONE / 2,       ONE / 6,        ONE / 24,        ONE / 120,
                              ONE / 720,     ONE / 5040,     ONE / 40320,     ONE / 362880,
                              ONE / 3628800, ONE / 39916800, ONE / 479001600, ONE / 6227020800};
  const T whole = 3 * (T)(1L << (DIGITS - 1)); /* adding it rounds to integers */
  T y = x < 0 ? -2 * x : 2 * x;
  y = y > most ? most : y;
  const T shifted = FMA(y, (T)0x1.71547652b82fep0, whole), k = shifted - whole;
  const T r = FMA(-k, low, FMA(-k, high, y));
  T p = inverse[TERMS - 2];
  UNROLL
  for (int i = TERMS - 3; i >= 0; i--) p = FMA(p, r, inverse[i]);
  p = FMA(p * r, r, r);
  union {
    T number;
    Bits bits;
  } scale = {shifted};
  scale.bits = (scale.bits + BIAS) << DIGITS;
  const T u = FMA(scale.number, p, scale.number - 1);
  const T result = u / (u + 2);
  return x < 0 ? -result : x == 0 ? x : result;
}

#undef TANH
#define TANH tanh_of

/* Transpose L vectors: blocks of ever more numbers change their places. */
#define EXCHANGE(s)                                                                                \
  UNROLL for (int i = 0; i < L; i++) if (!(i & s))                                                 \
  {                                                                                                \
    const V even = BLOCKS(a[i], a[i + s], s, 0);                                                   \
    a[i + s] = BLOCKS(a[i], a[i + s], s, 1);                                                       \
    a[i] = even;                                                                                   \
  }

INLINE void transpose(V *a)
{
  EXCHANGE(1) EXCHANGE(2) EXCHANGE(4)
#if !defined(IS_DOUBLE)
  EXCHANGE(8)
#endif
}

/* The sums of the numbers of four vectors: of pairs, of pairs of them, then of halves. */
INLINE void totals(V a, V b, V c, V d, T *sums)
{
  const V ab = BLOCKS(a, b, 1, 0) + BLOCKS(a, b, 1, 1), cd = BLOCKS(c, d, 1, 0) + BLOCKS(c, d, 1, 1);
  const V abcd = BLOCKS(ab, cd, 2, 0) + BLOCKS(ab, cd, 2, 1);
  T s[L];
  *(W *)s = abcd;
  for (int i = 0; i < 4; i++) {
    sums[i] = s[i] + s[i + 4];
    if (L == 16) sums[i] += s[i + 8] + s[i + 12];
  }
}

INLINE T total(V a)
{
  T sums[4];
  totals(a, a, a, a, sums);
  return sums[0];
}

/* The sum of n numbers that lie one after the other. */
static __attribute__((noinline)) T sum_of(long n, const T *a)
{
  V s = repeat(0), t = s;
  T rest = 0;
  long i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    s += *(const W *)(a + i);
    t += *(const W *)(a + i + L);
  }
  for (; i + L <= n; i += L) s += *(const W *)(a + i);
  for (; i < n; i++) rest += a[i];
  return total(s + t) + rest;
}

/* The greatest of n numbers that lie one after the other; NaN if one of them is. */
static __attribute__((noinline)) T greatest_of(long n, const T *a)
{
  V greatest = repeat(a[0]);
  T result = a[0];
  long i = 0;
  for (; i + L <= n; i += L) {
    const V b = *(const W *)(a + i);
    const Mask takes = (b > greatest) | (b != b);
    greatest = (V)((takes & (Mask)b) | (~takes & (Mask)greatest));
  }
  for (int l = 0; l < L; l++) result = GREATER(greatest[l], result);
  for (; i < n; i++) result = GREATER(a[i], result);
  return result;
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
PRODUCT(4, 4) PRODUCT(3, 4) PRODUCT(2, 4) PRODUCT(1, 4) PRODUCT(1, 8)
PRODUCT(4, 1) PRODUCT(3, 1) PRODUCT(2, 1) PRODUCT(1, 1)

#define PRODUCT_OF(m, q)                                                                           \
  product_##m##_##q(K, w + i * row, row, column, a + n, step, out + i * next + n, next)
#define PRODUCTS(q)                                                                                \
  {                                                                                                \
    long i = 0;                                                                                    \
    for (; i + 4 <= M; i += 4) PRODUCT_OF(4, q);                                                   \
    if (M - i == 3) PRODUCT_OF(3, q);                                                              \
    if (M - i == 2) PRODUCT_OF(2, q);                                                              \
    if (M - i == 1) PRODUCT_OF(1, q);                                                              \
  }

static __attribute__((noinline)) void product(long M, long K, long m, const T *w, long row, long column, const T *a,
                    long step, T *out, long next)
{
  long n = 0;
  const long i = 0;
  if (M == 1) /* eight sums at once, since each waits for the one before */
    for (; n + 8 * L <= m; n += 8 * L) PRODUCT_OF(1, 8);
  for (; n + 4 * L <= m; n += 4 * L) PRODUCTS(4)
  for (; n < m; n += L) PRODUCTS(1)
}

/* out (M, K) += d (M, m) times the transpose of a (K, m): the sum over m examples. */
#define OUTER(m, q)                                                                                \
  INLINE void outer_##m##_##q(long n, const T *d, long first, const T *a, long second, T *out,     \
                              long row, long column)                                               \
  {                                                                                                \
    V s[m * q];                                                                                    \
    UNROLL for (int i = 0; i < m * q; i++) s[i] = repeat(0);                                       \
    for (long t = 0; t < n; t += L) {                                                              \
      V b[q];                                                                                      \
      UNROLL for (int j = 0; j < q; j++) b[j] = *(const V *)(a + j * second + t);                  \
      UNROLL for (int i = 0; i < m; i++) {                                                         \
        const V c = *(const V *)(d + i * first + t);                                               \
        UNROLL for (int j = 0; j < q; j++) s[i * q + j] = multiply_add(c, b[j], s[i * q + j]);     \
      }                                                                                            \
    }                                                                                              \
    UNROLL for (int i = 0; i < m * q; i += 4) {                                                    \
      enum { LAST = m * q - 1 };                                                                   \
      T sums[4];                                                                                   \
      totals(s[i], s[i < LAST ? i + 1 : LAST], s[i + 1 < LAST ? i + 2 : LAST],                     \
             s[i + 2 < LAST ? i + 3 : LAST], sums);                                                \
      UNROLL for (int k = i; k <= LAST && k < i + 4; k++)                                          \
        out[k / q * row + k % q * column] += sums[k - i];                                          \
    }                                                                                              \
  }
OUTER(4, 4) OUTER(3, 4) OUTER(2, 4) OUTER(1, 4)
OUTER(4, 3) OUTER(3, 3) OUTER(2, 3) OUTER(1, 3)
OUTER(4, 2) OUTER(3, 2) OUTER(2, 2) OUTER(1, 2)
OUTER(12, 1) OUTER(11, 1) OUTER(10, 1) OUTER(9, 1) OUTER(8, 1) OUTER(7, 1) OUTER(6, 1) OUTER(5, 1)
OUTER(4, 1) OUTER(3, 1) OUTER(2, 1) OUTER(1, 1)

/* out += the sum of the products of two rows of n numbers; each of four sums waits for the one before. */
static void dot(long n, const T *d, const T *a, T *out)
{
  V s[4] = {repeat(0), repeat(0), repeat(0), repeat(0)};
  long t = 0;
  for (; t + 4 * L <= n; t += 4 * L)
    UNROLL for (int i = 0; i < 4; i++)
      s[i] = multiply_add(*(const V *)(d + t + i * L), *(const V *)(a + t + i * L), s[i]);
  for (; t < n; t += L) s[0] = multiply_add(*(const V *)(d + t), *(const V *)(a + t), s[0]);
  *out += total((s[0] + s[1]) + (s[2] + s[3]));
}

#define OUTER_OF(m, q)                                                                             \
  outer_##m##_##q(n, d + i * first, first, a + j * second, second, out + i * row + j * column,     \
                  row, column)
#define OUTERS(m)                                                                                  \
  {                                                                                                \
    long j = 0;                                                                                    \
    for (; j + 4 <= K; j += 4) OUTER_OF(m, 4);                                                     \
    if (K - j == 3) OUTER_OF(m, 3);                                                                \
    if (K - j == 2) OUTER_OF(m, 2);                                                                \
    if (K - j == 1) OUTER_OF(m, 1);                                                                \
  }

static __attribute__((noinline)) void outer(long M, long K, long n, const T *d, long first,
                                            const T *a, long second, T *out, long row, long column)
{
  long i = 0;
  const long j = 0;
  if (M == 1 && K > 1) return outer(K, M, n, a, second, d, first, out, column, row);
  if (K == 1) { /* as many sums at once as there are registers, since each waits for the one before */
    for (; M - i > 12; i += 8) OUTER_OF(8, 1);
    switch (M - i) {
#define CASE(m) case m: return OUTER_OF(m, 1);
      CASE(12) CASE(11) CASE(10) CASE(9) CASE(8) CASE(7) CASE(6) CASE(5) CASE(4) CASE(3) CASE(2)
    }
    return dot(n, d + i * first, a, out + i * row);
  }
  for (; i + 4 <= M; i += 4) OUTERS(4)
  if (M - i == 3) OUTERS(3)
  if (M - i == 2) OUTERS(2)
  if (M - i == 1) OUTERS(1)
}
