/* Products and sums over arrays whose last axis are the examples, in vectors of L numbers. Every sum
   runs in an order that depends on shapes only. */

enum { L = 64 / sizeof(T) };
typedef T V __attribute__((vector_size(64), may_alias));
typedef T W __attribute__((vector_size(64), may_alias, aligned(sizeof(T)))); /* anywhere */
#define GREATER(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Numbers of two vectors in turn: the even ones (h = 0) or the odd ones (h = 1); the same of pairs. */
#if defined(IS_DOUBLE)
typedef long Mask __attribute__((vector_size(64)));
#define CHOOSE(a, b, ...) (V)__builtin_shuffle((Mask)(a), (Mask)(b), (Mask){__VA_ARGS__})
#define PAIR(a, b, h) CHOOSE(a, b, h, 8 + h, 2 + h, 10 + h, 4 + h, 12 + h, 6 + h, 14 + h)
#define QUAD(a, b, h)                                                                              \
  CHOOSE(a, b, 2 * h, 1 + 2 * h, 8 + 2 * h, 9 + 2 * h, 4 + 2 * h, 5 + 2 * h, 12 + 2 * h, 13 + 2 * h)
#else
typedef int Mask __attribute__((vector_size(64)));
#define CHOOSE(a, b, ...) (V)__builtin_shuffle((Mask)(a), (Mask)(b), (Mask){__VA_ARGS__})
#define PAIR(a, b, h)                                                                              \
  CHOOSE(a, b, h, 16 + h, 2 + h, 18 + h, 4 + h, 20 + h, 6 + h, 22 + h, 8 + h, 24 + h, 10 + h,     \
         26 + h, 12 + h, 28 + h, 14 + h, 30 + h)
#define QUAD(a, b, h)                                                                              \
  CHOOSE(a, b, 2 * h, 1 + 2 * h, 16 + 2 * h, 17 + 2 * h, 4 + 2 * h, 5 + 2 * h, 20 + 2 * h,        \
         21 + 2 * h, 8 + 2 * h, 9 + 2 * h, 24 + 2 * h, 25 + 2 * h, 12 + 2 * h, 13 + 2 * h,         \
         28 + 2 * h, 29 + 2 * h)
#endif

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

/* The sums of the numbers of four vectors: of pairs, of pairs of them, then of halves. */
INLINE void totals(V a, V b, V c, V d, T *sums)
{
  const V ab = PAIR(a, b, 0) + PAIR(a, b, 1), cd = PAIR(c, d, 0) + PAIR(c, d, 1);
  const V abcd = QUAD(ab, cd, 0) + QUAD(ab, cd, 1);
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
PRODUCT(4, 4) PRODUCT(3, 4) PRODUCT(2, 4) PRODUCT(1, 4)
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
  for (; n + 4 * L <= m; n += 4 * L) PRODUCTS(4)
  for (; n < m; n += L) PRODUCTS(1)
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
    UNROLL for (int i = 0; i < m; i++) {                                                           \
      T sums[4];                                                                                   \
      totals(s[i][0], s[i][1 % q], s[i][2 % q], s[i][3 % q], sums);                                \
      for (int j = 0; j < q; j++) out[i * row + j * column] += sums[j];                            \
    }                                                                                              \
  }
OUTER(4, 4) OUTER(3, 4) OUTER(2, 4) OUTER(1, 4)
OUTER(4, 1) OUTER(3, 1) OUTER(2, 1) OUTER(1, 1)

#define OUTER_OF(m, q)                                                                             \
  outer_##m##_##q(n, d + i * first, first, a + j * second, second, out + i * row + j * column,     \
                  row, column)
#define OUTERS(m)                                                                                  \
  {                                                                                                \
    long j = 0;                                                                                    \
    for (; j + 4 <= K; j += 4) OUTER_OF(m, 4);                                                     \
    for (; j < K; j++) OUTER_OF(m, 1);                                                             \
  }

static __attribute__((noinline)) void outer(long M, long K, long n, const T *d, long first,
                                            const T *a, long second, T *out, long row, long column)
{
  long i = 0;
  for (; i + 4 <= M; i += 4) OUTERS(4)
  if (M - i == 3) OUTERS(3)
  if (M - i == 2) OUTERS(2)
  if (M - i == 1) OUTERS(1)
}
