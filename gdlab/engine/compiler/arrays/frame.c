/* The steps of a chunk, one run after the other: over the examples or the coordinates of each.

   B runs form a block, whose losses and norms are written together, since runs lie along the last axis. */

typedef struct {
  T *point;          /* (K + 1, n, D): the first one is read, the next K are written */
  T *loss, *norm;    /* losses and gradient norms at the first K points (K, n) */
  T *rate;           /* learning rates (K, n), or (n,) if they are constant; written if H */
  const T *noise;    /* added to the gradients (K, D, n), if the step has noise */
  const T *column;   /* settings that differ between runs (C, n) */
  T *state;          /* of the optimizer (n, SP), before and after */
  T *summary;        /* as in advance.c (5, n) */
  T *base, *memory;  /* base rates (n,), and the state of a schedule that follows the losses (n, HP) */
  const long *seed;  /* of the minibatches (n,) */
  const T *part_weight; /* of each example in the mean over a minibatch */
  const unsigned char *has_loss; /* at which records the loss is computed (K,) */
  long runs, records, rate_stride, step; /* the number of the first step */
  const T *example[TABLES + 1]; /* tables (N, widths[i]) and a vector more, for minibatches */
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
    for (long t = 0; t < padded; t += L) {
      const T *from[L];
      UNROLL for (int l = 0; l < L; l++)
        from[l] = chunk->example[i] + chosen[t + l < SIZE ? t + l : 0] * width;
      for (long p = 0; p < width; p += L) {
        V a[L];
        UNROLL for (int l = 0; l < L; l++) a[l] = *(const W *)(from[l] + p);
        transpose(a);
        UNROLL for (int l = 0; l < L; l++) if (p + l < width) *(V *)(tile + (p + l) * padded + t) = a[l];
      }
    }
    tile += width * padded;
  }
}

/* Steps of runs `begin` to `end`; `work` is memory for one thread. */
void advance(long begin, long end, const Chunk *chunk, T *work)
{
  const long n = chunk->runs;
  T *const column = work, *const slope = column + B * CP, *const at = slope + B * DP;
  T *const part_tile = at + B * DP, *const tile = part_tile + PART, *const arrays = tile + TILE;
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
    T *const state = chunk->state + i * SP;
    for (long k = 0; k < chunk->records; k++) {
      T *const point = chunk->point + (k * n + i) * D, *const after = point + n * D;
      T *const value = chunk->loss + k * n + i, *const norm = chunk->norm + k * n + i;
      if (chunk->has_loss[k]) {
        gradient(rows, point, column, value, slope, &chunk->all, arrays, tile);
        length(rows, slope, norm, &chunk->all, arrays, tile);
      }
      for (int r = 0; r < rows; r++) {
        if (!chunk->has_loss[k]) {
          value[r] = norm[r] = __builtin_nan("");
          continue;
        }
        least_norm[r] = norm[r] < least_norm[r] ? norm[r] : least_norm[r];
        best[r] = value[r] < least[r] ? (T)k : best[r];
        least[r] = value[r] < least[r] ? value[r] : least[r];
        finite[r] += (sum_of(D, point + r * D) + value[r] + norm[r]) * 0;
        const T size = value[r] < 0 ? -value[r] : value[r];
        greatest[r] = size > greatest[r] ? size : greatest[r];
      }
      T *where = point, ignored[B];
      if (QUERIES) {
        query(rows, point, column, state, at, &chunk->all, arrays, tile);
        where = at;
      }
      if (SIZE)
        for (int r = 0; r < rows; r++) {
          Examples part;
          Word chosen[SIZE + 1];
          draw(epochs + r, chunk->seed[i + r], chunk->step + k, chosen);
          choose(chunk, chosen, &part, part_tile);
          gradient(1, where + r * D, column + r * CP, ignored, slope + r * DP, &part, arrays, tile);
        }
      else if (QUERIES)
        gradient(rows, where, column, ignored, slope, &chunk->all, arrays, tile);
      if (NOISY)
        for (int r = 0; r < rows; r++)
          for (long d = 0; d < D; d++) slope[r * DP + d] += chunk->noise[(k * D + d) * n + i + r];
      T *const rate = chunk->rate + k * chunk->rate_stride + i;
      if (H) {
        T *const base = chunk->base + i, *const memory = chunk->memory + i * HP;
        T step = chunk->step + k;
        follow(rows, base, &step, value, column, memory, rate, &chunk->all, arrays, tile);
      }
      update(rows, point, slope, rate, column, state, after, &chunk->all, arrays, tile);
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
