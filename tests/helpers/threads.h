/* Runs a kernel of one row a thread on a processor: the threads one after the other. */
#define KERNEL static
#define ROW row
static long long row;

/* A function of libm in its form for vectors, as the steps of many rows at once call it. */
#define ONE_OF_MANY(name, NAME) \
  static inline T one_##name(T number) \
  { \
    T from[VECTOR_LANES], to[VECTOR_LANES]; \
    for (int l = 0; l < VECTOR_LANES; l++) from[l] = number; \
    _Pragma("omp simd") \
    for (int l = 0; l < VECTOR_LANES; l++) to[l] = NAME(from[l]); \
    return to[0]; \
  }
#define ONE_OF_MANY_PAIRS(name, NAME) \
  static inline T one_##name(T first, T second) \
  { \
    T a[VECTOR_LANES], b[VECTOR_LANES], to[VECTOR_LANES]; \
    for (int l = 0; l < VECTOR_LANES; l++) { a[l] = first; b[l] = second; } \
    _Pragma("omp simd") \
    for (int l = 0; l < VECTOR_LANES; l++) to[l] = NAME(a[l], b[l]); \
    return to[0]; \
  }
