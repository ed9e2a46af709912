/* The steps of a chunk, one run after the other: over the examples or the coordinates of each.

   B runs form a block, whose losses and norms are written together, since runs lie along the last axis. */

typedef struct {
  T *point;          /* (K + 1, n, D): the first one is read, the next K are written */
  T *loss, *norm;    /* losses and gradient norms at the first K points (K, n) */
  const T *rate;     /* learning rates (K, n), or (n,) if they are constant */
  const T *noise;    /* added to the gradients (K, D, n), if the step has noise */
  const T *column;   /* settings that differ between runs (C, n) */
  T *memory;         /* the state of the optimizer (n, SP), before and after */
  T *summary;        /* as in advance.c (5, n) */
  const long *seed;  /* of the minibatches (n,) */
  const T *part_weight; /* of each example in the mean over a minibatch */
  const unsigned char *has_loss; /* at which records the loss is computed (K,) */
  long runs, records, rate_stride, step; /* the number of the first step */
  const T *example[TABLES + 1]; /* tables (N, widths[i]), from which minibatches are collected */
  Examples all;
} Chunk;

/* FUNCTIONS */

/* Collect the examples of a minibatch into `tile`. */
static void choose(const Chunk *chunk, const Word *chosen, Examples *part, T *tile)
{
  const long padded = (SIZE + L - 1) / L * L;
  *part = (Examples){.weight = chunk->part_weight, .stride = padded, .count = padded};
  for (int i = 0; i < TABLES; i++) {
    const long width = widths[i];
    part->table[i] = tile;
    for (long t = 0; t < padded; t++) {
      const T *const from = chunk->example[i] + chosen[t < SIZE ? t : 0] * width;
      for (long p = 0; p < width; p++) tile[p * padded + t] = from[p];
    }
    tile += width * padded;
  }
}

/* Steps of runs `begin` to `end`; `work` is memory for one thread. */
void advance(long begin, long end, const Chunk *chunk, T *work)
{
  const long n = chunk->runs;
  T *const column = work, *const slope = column + B * CP, *const at = slope + DP, *const part_tile = at + DP;
  T *const tile = part_tile + PART, *const arrays = tile + TILE;
  for (long i = begin; i < end; i += B) {
    const int rows = end - i < B ? end - i : B;
    T least_norm[B], least[B], best[B], finite[B], greatest[B];
    Epoch epochs[B];
    for (int r = 0; r < rows; r++) {
      for (long c = 0; c < C; c++) column[r * CP + c] = chunk->column[c * n + i + r];
      least_norm[r] = least[r] = HUGE;
      best[r] = finite[r] = greatest[r] = 0;
      epochs[r].number = -1;
    }
    for (long k = 0; k < chunk->records; k++) {
      for (int r = 0; r < rows; r++) {
        const T *const point = chunk->point + (k * n + i + r) * D;
        T *const after = chunk->point + ((k + 1) * n + i + r) * D;
        T *const memory = chunk->memory + (i + r) * SP;
        const T *const own = column + r * CP;
        T value = __builtin_nan(""), norm = value;
        const T all = sum_of(D, point);
        if (chunk->has_loss[k]) {
          gradient(point, own, &chunk->all, arrays, tile, &value, slope);
          length(slope, arrays, tile, &norm);
          least_norm[r] = norm < least_norm[r] ? norm : least_norm[r];
          best[r] = value < least[r] ? (T)k : best[r];
          least[r] = value < least[r] ? value : least[r];
          finite[r] += (all + value + norm) * 0;
          const T size = value < 0 ? -value : value;
          greatest[r] = size > greatest[r] ? size : greatest[r];
        }
        chunk->loss[k * n + i + r] = value;
        chunk->norm[k * n + i + r] = norm;
        const T *where = point;
        T ignored;
        if (QUERIES) {
          query(point, own, memory, arrays, tile, at);
          where = at;
        }
        if (SIZE) {
          Examples part;
          Word chosen[SIZE + 1];
          draw(epochs + r, chunk->seed[i + r], chunk->step + k, chosen);
          choose(chunk, chosen, &part, part_tile);
          gradient(where, own, &part, arrays, tile, &ignored, slope);
        } else if (QUERIES)
          gradient(where, own, &chunk->all, arrays, tile, &ignored, slope);
        if (NOISY)
          for (long d = 0; d < D; d++) slope[d] += chunk->noise[(k * D + d) * n + i + r];
        const T rate = chunk->rate[k * chunk->rate_stride + i + r];
        update(point, slope, &rate, own, memory, arrays, tile, after);
      }
    }
    for (int r = 0; r < rows; r++) {
      chunk->summary[i + r] = least_norm[r];
      chunk->summary[n + i + r] = least[r];
      chunk->summary[2 * n + i + r] = best[r];
      chunk->summary[3 * n + i + r] = finite[r];
      chunk->summary[4 * n + i + r] = greatest[r];
    }
  }
}
