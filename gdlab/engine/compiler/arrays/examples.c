/* The examples of a mean, a tile of M after the other, and of a tile a strip after the other. */

typedef struct {
  const T *table[TABLES + 1]; /* one array of `stride` numbers for each number of an example */
  const T *weight;            /* of each example in the mean; 0 for padding */
  long stride, count;         /* count, a multiple of L, includes the padding */
} Examples;

#define FOR_EACH_TILE                                                                              \
  for (long first = 0; first < examples->count; first += M)

#define TILE_BEGINS                                                                                \
  const long m = examples->count - first < M ? examples->count - first : M;                        \
  const T *const weight = examples->weight + first, *table[TABLES + 1];                            \
  for (int i = 0; i < TABLES; i++) table[i] = examples->table[i] + first;

#define FOR_EACH_STRIP for (long v = 0; v < m; v += STRIP)

#define STRIP_BEGINS const int w = m - v < STRIP ? m - v : STRIP;
