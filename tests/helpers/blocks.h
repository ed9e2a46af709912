/* Runs a kernel of one row a block on a processor. Its threads run one after the other from barrier to
   barrier, from the first to the last or the other way round: where they wait for each other as they
   must, the order makes no difference. */
#include <stdlib.h>
#include <ucontext.h>

enum { THREADS = 4, STACK = 1 << 18 };
static ucontext_t scheduler, threads[THREADS];
static volatile int thread, running;

#define FUNCTION static
#define CONSTANT static const
#define BLOCK 0
#define BLOCKS 1
#define BARRIER swapcontext(&threads[thread], &scheduler);
#define ALONE if (thread == 0)
#define FOR_EACH(i, n) for (long i = thread; i < n; i += THREADS)
#define FOR_EACH_EXAMPLE for (int u = thread, l = 0; u < w; u += THREADS)

static void run_threads(void (*run)(void), int is_reversed)
{
  char *stacks = malloc(THREADS * STACK);
  for (int t = 0; t < THREADS; t++) {
    getcontext(&threads[t]);
    threads[t].uc_stack.ss_sp = stacks + t * STACK;
    threads[t].uc_stack.ss_size = STACK;
    threads[t].uc_link = &scheduler;
    makecontext(&threads[t], run, 0);
  }
  for (running = THREADS; running > 0;)
    for (int t = 0; t < THREADS; t++) {
      thread = is_reversed ? THREADS - 1 - t : t;
      swapcontext(&scheduler, &threads[thread]);
    }
  free(stacks);
}
