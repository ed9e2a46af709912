/* A mean over examples at recorded points. */

typedef struct {
  const T *point;                /* coordinate d of run i at record k lies at */
  long record, coordinate, run;  /* k record + d coordinate + i run */
  const T *column;               /* settings that differ between runs (C, n) */
  T *value;                      /* (K, n) */
  long runs, records;
  Examples all;
} Points;

/* FUNCTIONS */

/* The values of runs `begin` to `end`; `work` is memory for one thread. */
void measure(long begin, long end, const Points *points, T *work)
{
  const long n = points->runs;
  T *const x = work, *const column = x + DP, *const tile = column + CP, *const arrays = tile + TILE;
  for (long i = begin; i < end; i++) {
    for (long c = 0; c < C; c++) column[c] = points->column[c * n + i];
    for (long k = 0; k < points->records; k++) {
      const T *const from = points->point + k * points->record + i * points->run;
      for (long d = 0; d < D; d++) x[d] = from[d * points->coordinate];
      mean(1, x, column, points->value + k * n + i, &points->all, arrays, tile);
    }
  }
}
