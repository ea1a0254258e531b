// The network of network.bin in C for x86-64 with SSE4.1: the same arithmetic as the device module's SIMD build, int8 rows, a hidden state in
// fixed point, sums in integers, a softmax in f32, over the same bytes. With the protocol of the other peers, on standard input and output.
//
//     gcc -O3 -msse4.1 -mno-avx -fno-math-errno -fno-trapping-math -o network network.c -lm
#include <math.h>
#include <smmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MOST_VOCABULARY = 4096, MOST_HIDDEN = 512, MOST_WINDOW = 16 };

typedef struct {
  int vocabulary, window, groups, units, document_groups, span, hidden, padding;
} Sizes;

static Sizes size;
static int block, bag; // widths of the layers
static const float *u_scale, *d_scale, *u0, *d0, *w, *w0, *o_scale, *o0;
static const int8_t *u, *d, *o;
static int context[MOST_WINDOW]; // the latest first; vocabulary where there is none
static float document[MOST_HIDDEN];
static float hidden[MOST_HIDDEN];
static int16_t fixed[MOST_HIDDEN] __attribute__((aligned(16)));
static float probabilities[MOST_VOCABULARY] __attribute__((aligned(16)));
static float weights[MOST_VOCABULARY] __attribute__((aligned(16)));

static void *contents(const char *folder, const char *name, size_t *length) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) exit(3);
  fseek(file, 0, SEEK_END);
  *length = ftell(file);
  rewind(file);
  void *bytes = malloc(*length + 16);
  if (fread(bytes, 1, *length, file) != *length) exit(3);
  fclose(file);
  return bytes;
}

static void load(const char *folder) {
  size_t length;
  const char *at = contents(folder, "network.bin", &length);
  memcpy(&size, at, sizeof size);
  if (size.vocabulary > MOST_VOCABULARY || size.hidden > MOST_HIDDEN || size.window > MOST_WINDOW) exit(3);
  block = size.groups * size.units;
  bag = size.document_groups * size.units;
  const float *f = (const float *)(at + sizeof size);
  u_scale = f, f += size.window * size.vocabulary;
  d_scale = f, f += size.vocabulary;
  u0 = f, f += block;
  d0 = f, f += bag;
  w = f, f += size.window * size.window;
  w0 = f, f += size.window;
  o_scale = f, f += size.vocabulary;
  o0 = f, f += size.vocabulary;
  u = (const int8_t *)f;
  d = u + size.window * size.vocabulary * block;
  o = d + size.vocabulary * bag;
}

// e^x of four numbers, by the polynomial of Cephes
static inline __m128 exp4(__m128 x) {
  x = _mm_max_ps(x, _mm_set1_ps(-87));
  __m128 n = _mm_round_ps(_mm_mul_ps(x, _mm_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m128 r = _mm_sub_ps(_mm_sub_ps(x, _mm_mul_ps(n, _mm_set1_ps(0.693359375f))), _mm_mul_ps(n, _mm_set1_ps(-2.1219444e-4f)));
  __m128 p = _mm_set1_ps(1.98756915e-4f);
  p = _mm_add_ps(_mm_mul_ps(p, r), _mm_set1_ps(1.3981999507e-3f));
  p = _mm_add_ps(_mm_mul_ps(p, r), _mm_set1_ps(8.3334519073e-3f));
  p = _mm_add_ps(_mm_mul_ps(p, r), _mm_set1_ps(4.1665795894e-2f));
  p = _mm_add_ps(_mm_mul_ps(p, r), _mm_set1_ps(1.6666665459e-1f));
  p = _mm_add_ps(_mm_mul_ps(p, r), _mm_set1_ps(5.0000001201e-1f));
  p = _mm_add_ps(_mm_add_ps(_mm_mul_ps(_mm_mul_ps(p, r), r), r), _mm_set1_ps(1));
  __m128i power = _mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23);
  return _mm_mul_ps(p, _mm_castsi128_ps(power));
}

// ln x of four normal numbers, likewise
static inline __m128 log4(__m128 x) {
  __m128i bits = _mm_castps_si128(x);
  __m128 m = _mm_castsi128_ps(_mm_or_si128(_mm_and_si128(bits, _mm_set1_epi32(0x007fffff)), _mm_set1_epi32(0x3f000000)));
  __m128 below = _mm_cmplt_ps(m, _mm_set1_ps(0.70710678f));
  __m128 e = _mm_cvtepi32_ps(_mm_sub_epi32(_mm_srli_epi32(bits, 23), _mm_set1_epi32(126)));
  e = _mm_sub_ps(e, _mm_and_ps(below, _mm_set1_ps(1)));
  m = _mm_add_ps(_mm_sub_ps(m, _mm_set1_ps(1)), _mm_and_ps(below, m));
  __m128 z = _mm_mul_ps(m, m);
  static const float c[] = {7.0376836292e-2f, -1.151461031e-1f, 1.167699874e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                            -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
  __m128 p = _mm_set1_ps(c[0]);
  for (int i = 1; i < 9; ++i) p = _mm_add_ps(_mm_mul_ps(p, m), _mm_set1_ps(c[i]));
  p = _mm_add_ps(_mm_mul_ps(_mm_mul_ps(p, m), z), _mm_mul_ps(e, _mm_set1_ps(-2.1219444e-4f)));
  p = _mm_sub_ps(p, _mm_mul_ps(_mm_set1_ps(0.5f), z));
  return _mm_add_ps(_mm_add_ps(m, p), _mm_mul_ps(e, _mm_set1_ps(0.693359375f)));
}

static inline float across_max(__m128 x) {
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}

static inline float across_sum(__m128 x) {
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}

static void softmax(float *x, int n) {
  __m128 most = _mm_loadu_ps(x);
  for (int i = 4; i < n; i += 4) most = _mm_max_ps(most, _mm_loadu_ps(x + i));
  __m128 peak = _mm_set1_ps(across_max(most)), sum = _mm_setzero_ps();
  for (int i = 0; i < n; i += 4) {
    __m128 e = exp4(_mm_sub_ps(_mm_loadu_ps(x + i), peak));
    _mm_storeu_ps(x + i, e);
    sum = _mm_add_ps(sum, e);
  }
  __m128 scale = _mm_set1_ps(1 / across_sum(sum));
  for (int i = 0; i < n; i += 4) _mm_storeu_ps(x + i, _mm_mul_ps(_mm_loadu_ps(x + i), scale));
}

static void add_row(float *restrict out, const int8_t *restrict row, float scale, int width) {
  for (int c = 0; c < width; ++c) out[c] += scale * row[c];
}

static void softmax_groups(float *x, int groups) {
  for (int g = 0; g < groups; ++g) softmax(x + g * size.units, size.units);
}

static void first_layer(void) {
  float shares[MOST_WINDOW], most = -INFINITY, sum = 0;
  for (int j = 0; j < size.window; ++j) {
    shares[j] = w0[j];
    for (int i = 0; i < size.window; ++i)
      if (context[i] == context[0]) shares[j] += w[i * size.window + j];
    if (shares[j] > most) most = shares[j];
  }
  for (int j = 0; j < size.window; ++j) sum += shares[j] = expf(shares[j] - most);
  memcpy(hidden, u0, block * sizeof(float));
  for (int j = 0; j < size.window; ++j) {
    if (context[j] == size.vocabulary) continue;
    int row = j * size.vocabulary + context[j];
    add_row(hidden, u + row * block, shares[j] * size.window / sum * u_scale[row], block);
  }
  softmax_groups(hidden, size.groups);
}

static void second_layer(void) {
  float *out = hidden + block;
  for (int c = 0; c < bag; ++c) out[c] = d0[c] + document[c];
  softmax_groups(out, size.document_groups);
}

static void decode(void) {
  int m = size.hidden;
  for (int c = 0; c < m; ++c) fixed[c] = (int16_t)lrintf(hidden[c] * 16384);
  __m128 unit = _mm_set1_ps(1.0f / 16384);
  for (int v = 0; v < size.vocabulary; v += 4) {
    const int8_t *row = o + v * m;
    __m128i sums[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
    for (int i = 0; i < m; i += 8) {
      __m128i h = _mm_load_si128((const __m128i *)(fixed + i));
      for (int k = 0; k < 4; ++k)
        sums[k] = _mm_add_epi32(sums[k], _mm_madd_epi16(h, _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(row + k * m + i)))));
    }
    __m128i each = _mm_hadd_epi32(_mm_hadd_epi32(sums[0], sums[1]), _mm_hadd_epi32(sums[2], sums[3]));
    __m128 scaled = _mm_mul_ps(_mm_mul_ps(_mm_loadu_ps(o_scale + v), unit), _mm_cvtepi32_ps(each));
    _mm_store_ps(probabilities + v, _mm_add_ps(_mm_loadu_ps(o0 + v), scaled));
  }
  softmax(probabilities, size.vocabulary);
}

static void reset(void) {
  for (int j = 0; j < size.window; ++j) context[j] = size.vocabulary;
  memset(document, 0, sizeof document);
}

static void predict(void) {
  first_layer();
  second_layer();
  decode();
}

static void append(int token) {
  for (int c = 0; c < bag; ++c) document[c] *= (float)(size.span - 1) / size.span;
  add_row(document, d + token * bag, d_scale[token] / size.span, bag);
  for (int j = size.window - 1; j > 0; --j) context[j] = context[j - 1];
  context[0] = token;
}

static float uniform(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (state >> 40) * 0x1p-24f;
}

// as sampling.mjs: the k likeliest in one scan, then top-p
static int draw(float temperature, int top_k, float top_p) {
  static uint16_t kept[MOST_VOCABULARY];
  int count = size.vocabulary;
  if (top_k > 0) {
    count = 0;
    float least = -1;
    for (int v = 0; v < size.vocabulary; ++v) {
      float p = probabilities[v];
      if (count == top_k && p <= least) continue;
      int at = count < top_k ? count++ : top_k - 1;
      for (; at > 0 && probabilities[kept[at - 1]] < p; --at) kept[at] = kept[at - 1];
      kept[at] = v;
      least = probabilities[kept[count - 1]];
    }
  }
  for (int i = 0; i < count; ++i) weights[i] = probabilities[top_k > 0 ? kept[i] : i];
  for (int i = count; i % 4 != 0; ++i) weights[i] = 1e-30f;
  __m128 over = _mm_set1_ps(1 / temperature), least = _mm_set1_ps(1.1754944e-38f), sums = _mm_setzero_ps();
  for (int i = 0; i < count; i += 4) {
    __m128 e = exp4(_mm_mul_ps(log4(_mm_max_ps(_mm_load_ps(weights + i), least)), over));
    _mm_store_ps(weights + i, e);
    sums = _mm_add_ps(sums, e);
  }
  float sum = across_sum(sums);
  int end = count;
  if (top_p < 1) {
    float mass = 0;
    for (end = 0; end < count && mass < top_p * sum; ++end) mass += weights[end];
    sum = mass;
  }
  float left = uniform() * sum;
  int drawn = 0;
  for (; drawn < end - 1; ++drawn) {
    left -= weights[drawn];
    if (left < 0) break;
  }
  return top_k > 0 ? kept[drawn] : drawn;
}

static double cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// of /proc where there is one: what getrusage tells of a process begins with its parent's
static long peak(void) {
  char line[256];
  long kilobytes = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %ld", &kilobytes);
  if (status) fclose(status);
  if (kilobytes > 0) return kilobytes * 1024;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss * 1024;
}

static double score(const uint16_t *tokens, int count) {
  double bits = 0;
  reset();
  for (int i = 0; i < count; ++i) {
    predict();
    bits -= log2(probabilities[tokens[i]]);
    append(tokens[i]);
  }
  return bits;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  size_t length;
  load(argv[1]);
  const uint16_t *tokens = contents(argv[1], "tokens.u16", &length);
  double first = score(tokens, 1);
  printf("{\"bits\":%.9g,\"cpu\":%.6f,\"peak\":%ld}\n", first, cpu(), peak());
  fflush(stdout);
  char line[256], job[16];
  while (fgets(line, sizeof line, stdin)) {
    int count = 0, top_k = 0;
    float temperature = 1, top_p = 1;
    sscanf(line, "%15s %d %f %d %f", job, &count, &temperature, &top_k, &top_p);
    double before = cpu(), bits = 0;
    if (!strcmp(job, "decode") && count <= (int)(length / 2)) {
      bits = score(tokens, count);
    } else if (!strcmp(job, "write")) {
      reset();
      for (int i = 0; i < count; ++i) {
        predict();
        append(draw(temperature, top_k, top_p));
      }
    } else {
      puts("{\"missing\":true}");
      fflush(stdout);
      continue;
    }
    printf("{\"cpu\":%.6f,\"bits\":%.9g,\"peak\":%ld}\n", cpu() - before, bits, peak());
    fflush(stdout);
  }
  return 0;
}
