/* The examples of minibatches, the same as `gdlab.numerics.rng.minibatches` draws. */

typedef unsigned int Word;
enum { ROUNDS = 8, MOST_SORTED = 64, MOST_LISTED = 1024, MINIBATCH = 3 };

/* The random order of the examples in one epoch of one run. */
typedef struct {
  long number;         /* of the epoch; -1 for none */
  Word keys[ROUNDS];   /* of the rounds of a Feistel network, for more than MOST_SORTED examples */
  Word order[N <= MOST_LISTED ? N + 1 : 1];   /* all of it, of few examples */
} Epoch;

/* Four words of Philox 4x32-10. */
static void philox(Word *c, Word k0, Word k1)
{
  for (int round = 0; round < 10; round++) {
    const unsigned long left = 0xD2511F53UL * c[0], right = 0xCD9E8D57UL * c[2];
    const Word c1 = c[1], c3 = c[3];
    c[0] = (Word)(right >> 32) ^ c1 ^ k0;
    c[1] = (Word)right;
    c[2] = (Word)(left >> 32) ^ c3 ^ k1;
    c[3] = (Word)left;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

/* The examples at `count` positions of an epoch, from `first` on: a permutation of 2 HALF bits,
   applied again where it leads past the last example. */
enum { MOST = (N <= MOST_LISTED && N > SIZE ? N : SIZE) + 1 };

static void permute(const Epoch *epoch, long first, long count, Word *chosen)
{
  Word value[MOST];
  int place[MOST], pending = count;
  const Word mask = (1u << HALF_BITS) - 1;
  for (int t = 0; t < count; t++) value[t] = first + t, place[t] = t;
  while (pending) {
    #pragma omp simd
    for (int t = 0; t < pending; t++) {
      Word left = value[t] >> HALF_BITS, right = value[t] & mask;
      UNROLL
      for (int r = 0; r < ROUNDS; r++) {
        Word mixed = right ^ epoch->keys[r];
        mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B;
        mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35;
        mixed = left ^ ((mixed ^ mixed >> 16) & mask);
        left = right;
        right = mixed;
      }
      value[t] = left << HALF_BITS | right;
    }
    int outside = 0;
    for (int t = 0; t < pending; t++) { /* without branches, which could not be predicted */
      const Word last = value[t];
      const int at = place[t];
      chosen[at] = last;
      value[outside] = last;
      place[outside] = at;
      outside += last >= N;
    }
    pending = outside;
  }
}

static void begin_epoch(Epoch *epoch, unsigned long seed, long number)
{
  unsigned long keys[MOST_SORTED];
  epoch->number = number;
  for (int i = 0; i < (N <= MOST_SORTED ? N : ROUNDS); i++) {
    Word c[4] = {(Word)number, i, MINIBATCH, (Word)((unsigned long)number >> 32)};
    philox(c, (Word)seed, (Word)(seed >> 32));
    if (N > MOST_SORTED)
      epoch->keys[i] = c[0];
    else { /* insert it among those before, which are sorted */
      const unsigned long key = (unsigned long)(c[0] >> 6) << 26 | c[1] >> 6;
      int at = i;
      for (; at > 0 && keys[at - 1] > key; at--) {
        keys[at] = keys[at - 1];
        epoch->order[at] = epoch->order[at - 1];
      }
      keys[at] = key;
      epoch->order[at] = i;
    }
  }
  if (N > MOST_SORTED && N <= MOST_LISTED) permute(epoch, 0, N, epoch->order);
}

/* The examples of the minibatch of a step: consecutive positions of an endless row of epochs. */
static void draw(Epoch *epoch, unsigned long seed, long step, Word *chosen)
{
  for (long done = 0, count; done < SIZE; done += count) {
    const long position = step * SIZE + done, number = position / N, first = position % N;
    count = SIZE - done < N - first ? SIZE - done : N - first;
    if (number != epoch->number) begin_epoch(epoch, seed, number);
    if (N > MOST_LISTED)
      permute(epoch, first, count, chosen + done);
    else
      for (int t = 0; t < count; t++) chosen[done + t] = epoch->order[first + t];
  }
}
