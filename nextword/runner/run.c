/* run.c: the second of the two files. The first, a GGUF, holds the parameters; this program runs them.

   A language model predicts the next word: token ids go in, a row of numbers comes out of a stack of matrix
   products, one of the likeliest tokens is drawn and appended, and so on. Everything that takes is below, in this
   order, in C11 with libc, libm and pthreads and nothing else:

       1  Words          errors as text, byte ranges, the few types everyone uses
       2  GGUF           an untrusted file becomes keys and tensors, every length checked before it is believed
       3  Numbers        how each quantisation stores its weights
       4  Kernels        the arithmetic: plain C first (the reference), then once more for vectors
       5  Team           threads that share one pass and meet at barriers
       6  Model          a GGUF becomes a Llama: shape, weights, rotation angles
       7  Pages          keys and values of the past live in pages that the caller deals out
       8  Forward        the transformer itself
       9  Unicode        which code points are letters, numbers, spaces (generated)
      10  Tokenizer      text to ids and back: byte-level BPE and SentencePiece
      11  Sampler        one row of scores and a coin become one token
      12  Chat           conversations in the four template families that we know
      13  Library        the same as functions for Python's ctypes; never prints, never exits
      14  Checksum       whether the weights are still those that were written
      15  Program        the command line

   Build:    cc -O3 -o run run.c -lm -lpthread            (any CPU: the kernels are chosen when it starts; it
             includes itself, so it must be called run.c)
   Library:  cc -O3 -shared -fPIC -DNEXTWORD_LIBRARY -o librun.so run.c -lm -lpthread
   Run:      ./run MODEL.gguf -p "Once upon a time"

   It reads Llama-architecture files with weights in F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K. Left out: training,
   GPUs, other architectures (each says so in one line), and files of the other byte order.

   Words for shapes: T tokens of this pass, C embedding length, H query heads, K key-value heads, D head length,
   F feed-forward length, V vocabulary. Papers: Touvron et al. 2023 (Llama), Su et al. 2021 (RoPE), Shazeer 2020
   (SwiGLU), Ainslie et al. 2023 (GQA), Kwon et al. 2023 (paged keys and values). */

/* Section 4 compiles its vector half once per instruction set by including this very file with KERNEL_SET
   defined; everything outside that half is skipped then. */
#ifndef KERNEL_SET

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* ---- 1 Words ------------------------------------------------------------------------------------------------ */

/* An error is one line: what is wrong, and what to do. Functions that can fail fill it and return false. */
typedef struct { char text[400]; } Error;

__attribute__((format(printf, 2, 3))) static void explain(Error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *c = error->text; *c; c++) if ((unsigned char)*c < 32 || *c == 127) *c = '?';  /* stays one line */
}

#define fail(...) (explain(__VA_ARGS__), false)

/* A stretch of bytes that belongs to someone else, usually the mapped file; no NUL at its end. */
typedef struct { const uint8_t *data; uint64_t size; } Bytes;

#define LITERAL(text) ((Bytes){(const uint8_t *)(text), sizeof(text) - 1})
#define SHOWN(bytes) (int)((bytes).size < 60 ? (bytes).size : 60), (const char *)(bytes).data  /* for "%.*s" */

static bool same(Bytes a, Bytes b) { return a.size == b.size && !(a.size && memcmp(a.data, b.data, a.size)); }

static Bytes bytes_of(const char *text) { return (Bytes){(const uint8_t *)text, strlen(text)}; }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Memory for count things of this size, zeroed and aligned to a cache line; NULL when there is not that much.
   Pages of it that nobody touches cost nothing (calloc takes them from the system as they are). */
static void *room(uint64_t count, uint64_t size) {
    uint64_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > (UINT64_C(1) << 46)) return NULL;
    uint8_t *base = calloc(1, total + 128);
    if (!base) return NULL;
    uint8_t *aligned = (uint8_t *)(((uintptr_t)base + 127) & ~(uintptr_t)63);
    ((void **)aligned)[-1] = base;
    return aligned;
}

static void release(void *memory) {
    if (memory) free(((void **)memory)[-1]);
}

static bool no_memory(Error *error, const char *what) {
    return fail(error, "not enough memory for %s; close other programs or choose a smaller model or context", what);
}

/* ---- 2 GGUF ------------------------------------------------------------------------------------------------- */

/* The file (versions 2 and 3): magic, version, two counts; then keys with typed values; then tensor
   descriptions; then, aligned, the tensors' bytes. Nothing in it is trusted: a Reader cannot leave the file, and
   every count is held against the bytes that are left before anything is allocated for it. */
enum { U8, I8, U16, I16, U32, I32, FLOAT32, BOOL, STRING, ARRAY, U64, I64, FLOAT64, VALUE_TYPES };

static const uint8_t value_size[VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  /* 0: it varies */

typedef struct { const uint8_t *at, *end; } Reader;

typedef struct {
    Bytes name;
    uint32_t type, element;  /* element: what an array holds */
    uint64_t count;          /* 1, or the array's length */
    Bytes value;             /* from the first value to the last byte of the last */
} Key;

typedef struct {
    Bytes name;
    uint32_t type, dimensions;
    uint64_t shape[4];       /* shape[0] runs fastest: a row's length */
    uint64_t offset;         /* from the start of the data */
    bool used;
} Tensor;

typedef struct {
    Bytes file;
    uint32_t version;
    uint64_t keys, tensors, alignment;
    Key *key;
    Tensor *tensor;
    Bytes data;
} Gguf;

static uint64_t left(const Reader *reader) { return (uint64_t)(reader->end - reader->at); }

static bool take(Reader *reader, void *out, uint64_t size) {
    if (left(reader) < size) return false;
    memcpy(out, reader->at, size);  /* fields are not aligned in the file */
    reader->at += size;
    return true;
}

static bool take_string(Reader *reader, Bytes *out) {
    if (!take(reader, &out->size, 8) || left(reader) < out->size) return false;
    out->data = reader->at;
    reader->at += out->size;
    return true;
}

/* Step over count values of a type; arrays inside arrays have no use in a model and are refused. */
static bool skip_values(Reader *reader, uint32_t type, uint64_t count) {
    if (type >= VALUE_TYPES || type == ARRAY) return false;
    if (type != STRING) {
        if (count > left(reader) / value_size[type]) return false;
        reader->at += count * value_size[type];
        return true;
    }
    Bytes ignored;
    for (uint64_t i = 0; i < count; i++) if (!take_string(reader, &ignored)) return false;
    return true;
}

static bool take_key(Reader *reader, Key *key) {
    if (!take_string(reader, &key->name) || !take(reader, &key->type, 4)) return false;
    key->element = key->type;
    key->count = 1;
    if (key->type == ARRAY && !(take(reader, &key->element, 4) && take(reader, &key->count, 8))) return false;
    key->value.data = reader->at;
    if (!skip_values(reader, key->element, key->count)) return false;
    key->value.size = (uint64_t)(reader->at - key->value.data);
    return true;
}

static bool take_tensor(Reader *reader, Tensor *tensor) {
    if (!take_string(reader, &tensor->name) || !take(reader, &tensor->dimensions, 4)) return false;
    if (tensor->dimensions < 1 || tensor->dimensions > 4) return false;
    for (int i = 0; i < 4; i++) tensor->shape[i] = 1;
    for (uint32_t i = 0; i < tensor->dimensions; i++) if (!take(reader, &tensor->shape[i], 8)) return false;
    return take(reader, &tensor->type, 4) && take(reader, &tensor->offset, 8);
}

static const Key *find_key(const Gguf *gguf, const char *name) {
    Bytes wanted = bytes_of(name);
    for (uint64_t i = 0; i < gguf->keys; i++) if (same(gguf->key[i].name, wanted)) return &gguf->key[i];
    return NULL;
}

/* An integer key of any width, or `otherwise` when the file has none; an error outside [low, high]. */
static bool read_integer(const Gguf *gguf, const char *name, int64_t otherwise, int64_t low, int64_t high,
                         int64_t *out, Error *error) {
    const Key *key = find_key(gguf, name);
    *out = otherwise;
    if (key) {
        const uint8_t *at = key->value.data;
        uint64_t wide = 0;
        int64_t value = 0;
        if (key->type >= VALUE_TYPES || !value_size[key->type] || key->type == FLOAT32 || key->type == FLOAT64)
            return fail(error, "key %s is not an integer; export the model again", name);
        memcpy(&wide, at, value_size[key->type]);  /* little-endian, as we are */
        switch (key->type) {
            case I8: value = (int8_t)wide; break;
            case I16: value = (int16_t)wide; break;
            case I32: value = (int32_t)wide; break;
            default: value = wide > INT64_MAX ? INT64_MAX : (int64_t)wide;
        }
        if (key->type == I64) memcpy(&value, at, 8);
        *out = value;
    }
    if (*out >= low && *out <= high) return true;
    if (!key) return fail(error, "key %s is missing; export the model again", name);
    return fail(error, "key %s is %" PRId64 ", expected %" PRId64 " to %" PRId64 "; export the model again", name,
                *out, low, high);
}

static bool read_float(const Gguf *gguf, const char *name, double otherwise, double *out, Error *error) {
    const Key *key = find_key(gguf, name);
    *out = otherwise;
    if (key && key->type == FLOAT32) {
        float value;
        memcpy(&value, key->value.data, 4);
        *out = value;
    } else if (key && key->type == FLOAT64) {
        memcpy(out, key->value.data, 8);
    } else if (key) {
        return fail(error, "key %s is not a floating-point number; export the model again", name);
    }
    if (isfinite(*out) && *out > 0) return true;
    return fail(error, "key %s is missing or not a positive number; export the model again", name);
}

/* A string key, or an empty text when the file has none. */
static Bytes read_string(const Gguf *gguf, const char *name) {
    const Key *key = find_key(gguf, name);
    if (!key || key->type != STRING) return (Bytes){NULL, 0};
    return (Bytes){key->value.data + 8, key->value.size - 8};
}

static const Tensor *find_tensor(const Gguf *gguf, const char *name) {
    Bytes wanted = bytes_of(name);
    for (uint64_t i = 0; i < gguf->tensors; i++) {
        if (!same(gguf->tensor[i].name, wanted)) continue;
        gguf->tensor[i].used = true;
        return &gguf->tensor[i];
    }
    return NULL;
}

static void close_gguf(Gguf *gguf) {
    release(gguf->key);
    release(gguf->tensor);
    gguf->key = NULL;
    gguf->tensor = NULL;
}

static bool parse_header(Gguf *gguf, Reader *reader, Error *error) {
    char magic[4];
    if (!take(reader, magic, 4) || memcmp(magic, "GGUF", 4))
        return fail(error, "not a GGUF file; export one with `nextword release`");
    if (!take(reader, &gguf->version, 4)) return fail(error, "truncated in its first 8 bytes; copy it again");
    if (gguf->version >= 1 << 24) return fail(error, "a big-endian GGUF; export it for little-endian machines");
    if (gguf->version < 2 || gguf->version > 3)
        return fail(error, "GGUF version %" PRIu32 ", expected 2 or 3; export it again", gguf->version);
    if (!take(reader, &gguf->tensors, 8) || !take(reader, &gguf->keys, 8))
        return fail(error, "truncated in its header; copy it again");
    /* the least a key takes is 13 bytes, a tensor 32: so a small file cannot claim a large table */
    if (gguf->keys > left(reader) / 13 || gguf->tensors > left(reader) / 32)
        return fail(error, "its header promises more than the file holds: truncated or altered; copy it again");
    return true;
}

/* Parse the whole header of a file already in memory. On failure everything is given back. */
static bool parse_gguf(Bytes file, Gguf *gguf, Error *error) {
    Reader reader = {file.data, file.data + file.size};
    memset(gguf, 0, sizeof *gguf);
    gguf->file = file;
    if (!parse_header(gguf, &reader, error)) return false;
    gguf->key = room(gguf->keys + 1, sizeof(Key));
    gguf->tensor = room(gguf->tensors + 1, sizeof(Tensor));
    bool good = (gguf->key && gguf->tensor) || no_memory(error, "the header");
    for (uint64_t i = 0; good && i < gguf->keys; i++)
        if (!take_key(&reader, &gguf->key[i]))
            good = fail(error, "key %" PRIu64 " of %" PRIu64 " is truncated or of no known type; copy the file again",
                        i + 1, gguf->keys);
    for (uint64_t i = 0; good && i < gguf->tensors; i++)
        if (!take_tensor(&reader, &gguf->tensor[i]))
            good = fail(error, "tensor description %" PRIu64 " of %" PRIu64 " is truncated or altered; copy the file "
                        "again", i + 1, gguf->tensors);
    int64_t alignment = 0;
    good = good && read_integer(gguf, "general.alignment", 32, 8, 1 << 20, &alignment, error);
    if (good && (alignment & (alignment - 1)))
        good = fail(error, "general.alignment is %" PRId64 ", not a power of two; export it again", alignment);
    if (good) {
        gguf->alignment = (uint64_t)alignment;
        uint64_t header = (uint64_t)(reader.at - file.data);
        uint64_t start = (header + gguf->alignment - 1) & ~(gguf->alignment - 1);
        if (start > file.size) start = file.size;
        gguf->data = (Bytes){file.data + start, file.size - start};
    }
    if (!good) close_gguf(gguf);
    return good;
}

/* O_NONBLOCK: a pipe with this name, which nobody writes to, is refused below and not waited for. */
static bool map_file(const char *path, Bytes *file, Error *error) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0) return fail(error, "cannot be opened (%s); check the path", strerror(errno));
    bool good = true;
    if (fstat(descriptor, &status) || !S_ISREG(status.st_mode)) good = fail(error, "not a file; give a GGUF file");
    else if (status.st_size < 24) good = fail(error, "too short for a GGUF file; copy it again");
    if (good) {
        void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (memory == MAP_FAILED) good = fail(error, "cannot be mapped (%s)", strerror(errno));
        else *file = (Bytes){memory, (uint64_t)status.st_size};
    }
    close(descriptor);
    return good;
}

/* ---- 3 Numbers ---------------------------------------------------------------------------------------------- */

/* How ggml stores a row. d, m are half floats. Inside a block of the K kind, 256 weights share d and each 16 or 32
   have a small integer scale of their own.

       F32   w                            BF16  the upper half of an F32
       F16   w as half                    Q8_0  32 weights: d, int8 q[32];            w = d q
       Q4_0  32: d, nibbles[16];  w = d (q - 8), low nibbles are weights 0..15, high ones 16..31
       Q4_K  256: d, m, 12 bytes of 6-bit (scale, min) for each 32, nibbles[128];     w = d scale q - m min
       Q6_K  256: low nibbles[128], upper 2 bits[64], int8 scale[16], d;              w = d scale (q - 32) */
enum { F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8, Q4_K = 12, Q6_K = 14, BF16 = 30, TYPES = 31 };

typedef struct { const char *name; int32_t block, bytes; } Format;

static const Format formats[TYPES] = {
    [F32] = {"F32", 1, 4},       [F16] = {"F16", 1, 2},        [BF16] = {"BF16", 1, 2},
    [Q8_0] = {"Q8_0", 32, 34},   [Q4_0] = {"Q4_0", 32, 18},    [Q4_K] = {"Q4_K", 256, 144},
    [Q6_K] = {"Q6_K", 256, 210},
};

typedef struct {
    int32_t type;
    int64_t rows, cols;
    uint64_t row_bytes;
    const uint8_t *data;  /* (rows, cols), quantised along cols */
} Matrix;

static bool is_integer_type(int32_t type) { return formats[type].block > 1; }

static const uint8_t *row_of(const Matrix *matrix, int64_t row) {
    return matrix->data + (uint64_t)row * matrix->row_bytes;
}

static uint16_t load16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, 2);
    return value;
}

static float as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* IEEE half to float: move exponent and mantissa into place, let a multiplication by 2^112 correct the bias (it
   also gets subnormals right), and mend infinity and NaN. */
static float from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
    if (rest >= 0x0f800000) return as_float(sign | 0x70000000 | rest);
    float magnitude = as_float(rest) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &magnitude, 4);
    return as_float(sign | bits);
}

static float half_at(const uint8_t *at) { return from_half(load16(at)); }

static uint16_t to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint32_t sign = (bits >> 16) & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);                    /* rounds past 65504: infinity */
    if (rest < 0x38800000) {                                                     /* subnormal half */
        float scaled = as_float(rest) + 0.5f;                                    /* 0.5 has ulp 2^-24, as they do */
        memcpy(&rest, &scaled, 4);
        return (uint16_t)(sign | (rest - 0x3f000000));
    }
    return (uint16_t)(sign | ((rest - 0x38000000 + 0xfff + ((rest >> 13) & 1)) >> 13));
}

/* The 6-bit scale and min of the j-th 32 weights (0..7) in a Q4_K block: the first four lie plain, the last four
   are split between a nibble and the upper two bits of the plain ones. */
static void q4_k_scale(const uint8_t *scales, int j, int *scale, int *min) {
    if (j < 4) {
        *scale = scales[j] & 63;
        *min = scales[j + 4] & 63;
    } else {
        *scale = (scales[j + 4] & 15) | (scales[j - 4] >> 6 << 4);
        *min = (scales[j + 4] >> 4) | (scales[j] >> 6 << 4);
    }
}

/* One row to integers: w = scale q - min, with a scale for each 16 weights and a min for each 32. This is the one
   reading of the quantised formats that everything but the vector dot products goes through. */
static void unpack_integers(int32_t type, const uint8_t *row, int64_t cols, int8_t *q, float *scale, float *min) {
    for (int64_t c = 0; c < cols; c += formats[type].block, row += formats[type].bytes) {
        int8_t *out = q + c;
        float *s = scale + c / 16, *m = min + c / 32;
        if (type == Q8_0) {
            memcpy(out, row + 2, 32);
            s[0] = s[1] = half_at(row);
            m[0] = 0;
        } else if (type == Q4_0) {
            for (int i = 0; i < 16; i++) out[i] = (int8_t)((row[2 + i] & 15) - 8);
            for (int i = 0; i < 16; i++) out[i + 16] = (int8_t)((row[2 + i] >> 4) - 8);
            s[0] = s[1] = half_at(row);
            m[0] = 0;
        } else if (type == Q4_K) {
            for (int j = 0; j < 8; j++) {
                const uint8_t *nibbles = row + 16 + j / 2 * 32;
                int six, least;
                q4_k_scale(row + 4, j, &six, &least);
                for (int i = 0; i < 32; i++)
                    out[32 * j + i] = (int8_t)(j & 1 ? nibbles[i] >> 4 : nibbles[i] & 15);
                s[2 * j] = s[2 * j + 1] = half_at(row) * (float)six;
                m[j] = half_at(row + 2) * (float)least;
            }
        } else {  /* Q6_K */
            for (int j = 0; j < 8; j++) {
                const uint8_t *low = row + j / 4 * 64 + j % 2 * 32, *high = row + 128 + j / 4 * 32;
                for (int i = 0; i < 32; i++) {
                    int nibble = j % 4 < 2 ? low[i] & 15 : low[i] >> 4;
                    out[32 * j + i] = (int8_t)((nibble | ((high[i] >> (j % 4 * 2)) & 3) << 4) - 32);
                }
                s[2 * j] = half_at(row + 208) * (float)(int8_t)row[192 + 2 * j];
                s[2 * j + 1] = half_at(row + 208) * (float)(int8_t)row[193 + 2 * j];
                m[j] = 0;
            }
        }
    }
}

/* One row to floats; block by block, so it needs no memory. */
static void unpack_floats(int32_t type, const uint8_t *row, int64_t cols, float *out) {
    if (type == F32) {
        memcpy(out, row, (size_t)cols * 4);
    } else if (type == F16) {
        for (int64_t c = 0; c < cols; c++) out[c] = half_at(row + 2 * c);
    } else if (type == BF16) {
        for (int64_t c = 0; c < cols; c++) out[c] = as_float((uint32_t)load16(row + 2 * c) << 16);
    } else {
        int32_t block = formats[type].block;
        int8_t q[256];
        float scale[16], min[8];
        for (int64_t c = 0; c < cols; c += block, row += formats[type].bytes) {
            unpack_integers(type, row, block, q, scale, min);
            for (int i = 0; i < block; i++) out[c + i] = scale[i / 16] * (float)q[i] - min[i / 32];
        }
    }
}

/* ---- 4 Kernels ---------------------------------------------------------------------------------------------- */

/* All the time of a model is spent here, and all of it in one thing: y = W x, a matrix times the vectors of some
   tokens. With one token every weight is read once for two operations, so the memory's speed is the limit and the
   only art is to read a row straight through (`dot`). With many tokens weights are re-used, so arithmetic is the
   limit: sixteen rows at a time are unpacked into a panel laid out for the vector unit and applied to all tokens
   (`tile`); one tile kernel for floats and one for integers then serve all seven formats.

   With quantised weights the tokens are quantised too, 32 numbers at a time to int8 with one scale:
   sum_i (s q_i - m)(d p_i) = d (s sum_i q_i p_i - m sum_i p_i), so the inner sum is exact integer arithmetic. */

/* The vectors of some tokens as a product wants them. bias16 and bias32 hold -128 x the sum of p over 16 and 32
   numbers: kernels whose multiplier takes unsigned x signed bytes store q + 128 and start their sum there. */
typedef struct {
    int64_t cols;
    float *f;                   /* (T, cols) */
    int8_t *p;                  /* (T, cols) */
    float *d;                   /* (T, cols/32) */
    int32_t *bias16, *bias32;   /* (T, cols/16), (T, cols/32) */
} Vectors;

enum { PANEL = 16 };            /* rows in a panel */

/* Sixteen rows of weights. Floats: f[col][row]. Integers: q[col/4][row][4], with scale[group][row] for groups of
   16 or 32 columns and, for Q4_K alone, min[col/32][row]. */
typedef struct {
    float *f;
    uint8_t *q;
    float *scale, *min;
    int group;
    bool has_min;
    int8_t *row_q;              /* one row on its way into the panel */
    float *row_scale, *row_min;
} Panel;

typedef struct {
    const char *name;
    /* one weight row . one token's vector */
    float (*dot)(int32_t type, const uint8_t *row, const Vectors *x, int64_t token);
    /* rows row..row+15 into a panel; then out[t][0..15] = panel . x[t] for tokens from..to. NULL: use dot */
    void (*pack)(const Matrix *matrix, int64_t row, Panel *panel);
    void (*tile)(const Panel *panel, int32_t type, const Vectors *x, int64_t from, int64_t to, float *out);
    /* x[token] to int8 */
    void (*quantise)(Vectors *x, int64_t token);
    /* out = x / rms(x) * weight */
    void (*normalise)(const float *x, const float *weight, int64_t size, float epsilon, float *out);
    /* out[i] = scale x (q . keys[i]);  out += sum_i p[i] values[i]; a row is `size` floats or halves */
    void (*look)(const float *q, const void *keys, bool half, int64_t count, int64_t size, float scale, float *out);
    void (*mix)(const float *p, const void *values, bool half, int64_t count, int64_t size, float *out);
    void (*softmax)(float *x, int64_t size);
    /* gate = silu(gate) x up, Shazeer 2020 */
    void (*swiglu)(float *gate, const float *up, int64_t size);
} Kernels;

/* 4a The reference. Slow, plain, and what every vector kernel is tested against. */

static float dot_scalar(int32_t type, const uint8_t *row, const Vectors *x, int64_t token) {
    const float *f = x->f + token * x->cols, *d = x->d + token * (x->cols / 32);
    const int8_t *p = x->p + token * x->cols;
    int32_t block = formats[type].block;
    int8_t q[256];
    float w[16], scale[16], min[8], sum = 0;
    for (int64_t c = 0; c < x->cols && block == 1; c += 16, row += 16 * formats[type].bytes) {
        int64_t count = smaller(16, x->cols - c);
        unpack_floats(type, row, count, w);
        for (int64_t i = 0; i < count; i++) sum += w[i] * f[c + i];
    }
    for (int64_t c = 0; c < x->cols && block > 1; c += block, row += formats[type].bytes) {
        unpack_integers(type, row, block, q, scale, min);
        for (int g = 0; g < block; g += 16) {
            int32_t product = 0, total = 0;
            for (int i = g; i < g + 16; i++) {
                product += q[i] * p[c + i];
                total += p[c + i];
            }
            sum += d[(c + g) / 32] * (scale[g / 16] * (float)product - min[g / 32] * (float)total);
        }
    }
    return sum;
}

static void quantise_scalar(Vectors *x, int64_t token) {
    for (int64_t b = token * (x->cols / 32); b < (token + 1) * (x->cols / 32); b++) {
        const float *f = x->f + b * 32;
        int8_t *p = x->p + b * 32;
        float most = 0;
        bool finite = true;
        for (int i = 0; i < 32; i++) {
            most = fmaxf(most, fabsf(f[i]));
            finite = finite && isfinite(f[i]);
        }
        bool usable = finite && most > 1e-30f;
        x->d[b] = finite ? (usable ? most / 127 : 0) : NAN;  /* what is not a number must not look like one */
        x->bias16[2 * b] = x->bias16[2 * b + 1] = 0;
        for (int i = 0; i < 32; i++) {
            p[i] = usable ? (int8_t)lrintf(f[i] * (127 / most)) : 0;
            x->bias16[2 * b + i / 16] -= 128 * p[i];
        }
        x->bias32[b] = x->bias16[2 * b] + x->bias16[2 * b + 1];
    }
}

static void normalise_scalar(const float *x, const float *weight, int64_t size, float epsilon, float *out) {
    float squares = 0;
    for (int64_t i = 0; i < size; i++) squares += x[i] * x[i];
    float scale = 1 / sqrtf(squares / (float)size + epsilon);
    for (int64_t i = 0; i < size; i++) out[i] = x[i] * scale * weight[i];
}

static void look_scalar(const float *q, const void *keys, bool half, int64_t count, int64_t size, float scale,
                        float *out) {
    for (int64_t i = 0; i < count; i++) {
        float sum = 0;
        for (int64_t j = 0; j < size; j++)
            sum += q[j] * (half ? from_half(((const uint16_t *)keys)[i * size + j])
                                : ((const float *)keys)[i * size + j]);
        out[i] = sum * scale;
    }
}

static void mix_scalar(const float *p, const void *values, bool half, int64_t count, int64_t size, float *out) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < size; j++)
            out[j] += p[i] * (half ? from_half(((const uint16_t *)values)[i * size + j])
                                   : ((const float *)values)[i * size + j]);
}

static void softmax_scalar(float *x, int64_t size) {
    float most = x[0], sum = 0;
    for (int64_t i = 1; i < size; i++) most = fmaxf(most, x[i]);
    for (int64_t i = 0; i < size; i++) sum += x[i] = expf(x[i] - most);
    for (int64_t i = 0; i < size; i++) x[i] /= sum;
}

static void swiglu_scalar(float *gate, const float *up, int64_t size) {
    for (int64_t i = 0; i < size; i++) gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

static const Kernels kernels_scalar = {
    "scalar", dot_scalar, NULL, NULL, quantise_scalar, normalise_scalar, look_scalar, mix_scalar, softmax_scalar,
    swiglu_scalar,
};
#endif /* !KERNEL_SET */

/* 4b The same for vectors, in a small language of its own: vf and vi are LANES floats or 32-bit integers, written
   with the compiler's vector arithmetic, and each instruction set says below how it does the few things that C
   cannot: half floats, sums across lanes, and the dot product of bytes. */
#define SET_AVX2 1
#define SET_AVX512 2
#define SET_NEON 3

#ifdef KERNEL_SET
#define inlined static inline __attribute__((always_inline))
#if KERNEL_SET == SET_AVX512
#define K(name) name##_avx512
#define LANES 16
#define TILE 12        /* tokens whose sums fit in registers: 12 float + 12 integer of 32 */
#define UNSIGNED 0x80  /* weights are stored as q + 128: this set multiplies unsigned x signed bytes */
#elif KERNEL_SET == SET_AVX2
#define K(name) name##_avx2
#define LANES 8
#define TILE 3
#define UNSIGNED 0
#else
#define K(name) name##_neon
#define LANES 4
#define TILE 3
#define UNSIGNED 0
#endif
#define VECTORS (PANEL / LANES)  /* to a panel's width */

typedef float K(vf) __attribute__((vector_size(4 * LANES)));
typedef int32_t K(vi) __attribute__((vector_size(4 * LANES)));
#define vf K(vf)
#define vi K(vi)

inlined vf K(load)(const float *at) {
    vf value;
    memcpy(&value, at, sizeof value);
    return value;
}

inlined void K(store)(float *at, vf value) { memcpy(at, &value, sizeof value); }

inlined vf K(all)(float value) { return (vf){0} + value; }

inlined vf K(choose)(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }

inlined vf K(most)(vf a, vf b) { return K(choose)(a > b, a, b); }

#if KERNEL_SET == SET_AVX512
inlined vf K(load_half)(const uint8_t *at) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)at)); }
inlined vf K(load_bf16)(const uint8_t *at) {
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)at)), 16);
}
inlined float K(sum)(vf v) { return _mm512_reduce_add_ps(v); }
inlined vi K(dot4)(vi sum, vi w, vi x) {  /* each lane: sum + four unsigned w . four signed x */
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}
#elif KERNEL_SET == SET_AVX2
inlined vf K(load_half)(const uint8_t *at) { return _mm256_cvtph_ps(_mm_loadu_si128((const void *)at)); }
inlined vf K(load_bf16)(const uint8_t *at) {
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)at)), 16);
}
inlined float K(sum)(vf v) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inlined vi K(dot4)(vi sum, vi w, vi x) {  /* both signed: |w| . (x with w's sign); 2 x 128 x 127 fits 16 bits */
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)w), _mm256_sign_epi8((__m256i)x, (__m256i)w));
    return sum + (vi)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#else
inlined vf K(load_half)(const uint8_t *at) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const void *)at))); }
inlined vf K(load_bf16)(const uint8_t *at) { return (vf)vshll_n_u16(vld1_u16((const void *)at), 16); }
inlined float K(sum)(vf v) { return vaddvq_f32(v); }
inlined vi K(dot4)(vi sum, vi w, vi x) {
#ifdef __ARM_FEATURE_DOTPROD
    return vdotq_s32(sum, (int8x16_t)w, (int8x16_t)x);
#else
    int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8((int8x16_t)x));
    return vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8((int8x16_t)w, (int8x16_t)x)));
#endif
}
#endif

/* A block is 32 bytes. block_dot: partial sums of w . x as floats; block_dot_scaled: the first 16 bytes' sums times
   s, the others' times t. On x86 a block is one 256-bit register (with AVX-512 only the instructions are better),
   on NEON two of 128. */
#if KERNEL_SET == SET_NEON
typedef struct { int8x16_t a, b; } K(block);
typedef float32x4_t K(part);
#define block K(block)
#define part K(part)
inlined block K(load_block)(const void *at) { return (block){vld1q_s8(at), vld1q_s8((const int8_t *)at + 16)}; }
inlined block K(nibbles)(const uint8_t *at, int shift) {  /* of 32 bytes the lower (0) or upper (4) half */
    uint8x16_t a = vld1q_u8(at), b = vld1q_u8(at + 16);
    int8x16_t right = vdupq_n_s8((int8_t)-shift);
    return (block){(int8x16_t)vandq_u8(vshlq_u8(a, right), vdupq_n_u8(15)),
                   (int8x16_t)vandq_u8(vshlq_u8(b, right), vdupq_n_u8(15))};
}
inlined block K(nibbles16)(const uint8_t *at) {  /* of 16 bytes the lower halves, then the upper ones */
    uint8x16_t both = vld1q_u8(at);
    return (block){(int8x16_t)vandq_u8(both, vdupq_n_u8(15)), (int8x16_t)vshrq_n_u8(both, 4)};
}
inlined block K(with_upper)(block low, const uint8_t *at, int shift) {  /* adds bits shift, shift+1 as 16 and 32 */
    int8x16_t right = vdupq_n_s8((int8_t)-shift);
    uint8x16_t a = vandq_u8(vshlq_u8(vld1q_u8(at), right), vdupq_n_u8(3));
    uint8x16_t b = vandq_u8(vshlq_u8(vld1q_u8(at + 16), right), vdupq_n_u8(3));
    return (block){vorrq_s8(low.a, (int8x16_t)vshlq_n_u8(a, 4)), vorrq_s8(low.b, (int8x16_t)vshlq_n_u8(b, 4))};
}
inlined block K(minus)(block a, int8_t value) {
    return (block){vsubq_s8(a.a, vdupq_n_s8(value)), vsubq_s8(a.b, vdupq_n_s8(value))};
}
inlined part K(block_dot)(block w, block x) {
    vi zero = {0};
    return vcvtq_f32_s32(K(dot4)(K(dot4)(zero, (vi)w.a, (vi)x.a), (vi)w.b, (vi)x.b));
}
inlined part K(block_dot_scaled)(block w, block x, float s, float t) {
    vi zero = {0};
    part first = vcvtq_f32_s32(K(dot4)(zero, (vi)w.a, (vi)x.a));
    return first * s + vcvtq_f32_s32(K(dot4)(zero, (vi)w.b, (vi)x.b)) * t;
}
inlined float K(sum_part)(part v) { return vaddvq_f32(v); }
#else
typedef __m256i K(block);
typedef __m256 K(part);
#define block K(block)
#define part K(part)
inlined block K(load_block)(const void *at) { return _mm256_loadu_si256(at); }
inlined block K(nibbles)(const uint8_t *at, int shift) {
    return _mm256_and_si256(_mm256_srli_epi16(_mm256_loadu_si256((const void *)at), shift), _mm256_set1_epi8(15));
}
inlined block K(nibbles16)(const uint8_t *at) {
    __m128i both = _mm_loadu_si128((const void *)at);
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(both, 4), both), _mm256_set1_epi8(15));
}
inlined block K(with_upper)(block low, const uint8_t *at, int shift) {
    __m256i two = _mm256_srli_epi16(_mm256_loadu_si256((const void *)at), shift);
    return _mm256_or_si256(low, _mm256_slli_epi16(_mm256_and_si256(two, _mm256_set1_epi8(3)), 4));
}
inlined block K(minus)(block a, int8_t value) { return _mm256_sub_epi8(a, _mm256_set1_epi8(value)); }
inlined part K(block_dot)(block w, block x) {
    __m256i size = _mm256_abs_epi8(w), signed_x = _mm256_sign_epi8(x, w);
#if KERNEL_SET == SET_AVX512
    return _mm256_cvtepi32_ps(_mm256_dpbusd_epi32(_mm256_setzero_si256(), size, signed_x));
#else
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_maddubs_epi16(size, signed_x), _mm256_set1_epi16(1)));
#endif
}
inlined part K(block_dot_scaled)(block w, block x, float s, float t) {
    return K(block_dot)(w, x) * _mm256_set_m128(_mm_set1_ps(t), _mm_set1_ps(s));
}
inlined float K(sum_part)(part v) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
#endif

inlined float K(half)(const uint8_t *at) {
#if KERNEL_SET == SET_NEON
    return half_at(at);
#else
    return _cvtsh_ss(load16(at));
#endif
}

/* sum_i w_i x_i. Four sums, because one would wait for itself: an addition takes four cycles. */
inlined float K(dot_floats)(const int32_t type, const uint8_t *row, const float *x, int64_t cols) {
    const int64_t bytes = type == F32 ? 4 : 2;
#define WEIGHTS(i) (type == F32 ? K(load)((const float *)(row + 4 * (i)))                \
                    : type == F16 ? K(load_half)(row + 2 * (i)) : K(load_bf16)(row + 2 * (i)))
    vf sum[4] = {{0}, {0}, {0}, {0}};
    int64_t c = 0;
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        for (int i = 0; i < 4; i++) sum[i] += WEIGHTS(c + i * LANES) * K(load)(x + c + i * LANES);
    for (; c + LANES <= cols; c += LANES) sum[0] += WEIGHTS(c) * K(load)(x + c);
    float total = K(sum)((sum[0] + sum[1]) + (sum[2] + sum[3])), last;
    for (; c < cols; c++) {
        unpack_floats(type, row + c * bytes, 1, &last);
        total += last * x[c];
    }
    return total;
#undef WEIGHTS
}

/* sum over blocks of s d (q . p): 34 bytes and about ten instructions for 32 weights. */
inlined float K(dot_q8_0)(const uint8_t *row, const int8_t *p, const float *d, int64_t blocks) {
    part sum[2] = {{0}, {0}};
    int64_t b = 0;
    for (; b + 2 <= blocks; b += 2)
        for (int i = 0; i < 2; i++) {
            const uint8_t *at = row + 34 * (b + i);
            part product = K(block_dot)(K(load_block)(at + 2), K(load_block)(p + 32 * (b + i)));
            sum[i] += product * (K(half)(at) * d[b + i]);
        }
    if (b < blocks)
        sum[0] += K(block_dot)(K(load_block)(row + 34 * b + 2), K(load_block)(p + 32 * b)) *
                  (K(half)(row + 34 * b) * d[b]);
    return K(sum_part)(sum[0] + sum[1]);
}

inlined float K(dot_q4_0)(const uint8_t *row, const int8_t *p, const float *d, int64_t blocks) {
    part sum[2] = {{0}, {0}};
    for (int64_t b = 0; b < blocks; b++) {
        const uint8_t *at = row + 18 * b;
        block w = K(minus)(K(nibbles16)(at + 2), 8);
        sum[b & 1] += K(block_dot)(w, K(load_block)(p + 32 * b)) * (K(half)(at) * d[b]);
    }
    return K(sum_part)(sum[0] + sum[1]);
}

/* sum over 32s of d (s q . p) - d m (sum p), where sum p = bias32 / -128. */
inlined float K(dot_q4_k)(const uint8_t *row, const int8_t *p, const float *d, const int32_t *bias, int64_t cols) {
    part sum[2] = {{0}, {0}};
    float mins = 0;
    for (int64_t c = 0; c < cols; c += 256, row += 144) {
        float scale = K(half)(row), least = K(half)(row + 2) * (1 / 128.0f);
        for (int j = 0; j < 8; j++) {
            int six, min;
            int64_t b = c / 32 + j;
            q4_k_scale(row + 4, j, &six, &min);
            block w = K(nibbles)(row + 16 + j / 2 * 32, j % 2 * 4);
            sum[j & 1] += K(block_dot)(w, K(load_block)(p + 32 * b)) * (scale * (float)six * d[b]);
            mins += least * (float)min * d[b] * (float)bias[b];
        }
    }
    return K(sum_part)(sum[0] + sum[1]) + mins;
}

inlined float K(dot_q6_k)(const uint8_t *row, const int8_t *p, const float *d, int64_t cols) {
    part sum[2] = {{0}, {0}};
    for (int64_t c = 0; c < cols; c += 256, row += 210) {
        float scale = K(half)(row + 208);
        for (int j = 0; j < 8; j++) {
            int64_t b = c / 32 + j;
            block low = K(nibbles)(row + j / 4 * 64 + j % 2 * 32, j % 4 < 2 ? 0 : 4);
            block w = K(minus)(K(with_upper)(low, row + 128 + j / 4 * 32, j % 4 * 2), 32);
            float one = scale * d[b];
            const int8_t *six = (const int8_t *)row + 192 + 2 * j;
            sum[j & 1] += K(block_dot_scaled)(w, K(load_block)(p + 32 * b), one * (float)six[0], one * (float)six[1]);
        }
    }
    return K(sum_part)(sum[0] + sum[1]);
}

static float K(dot)(int32_t type, const uint8_t *row, const Vectors *x, int64_t token) {
    const float *f = x->f + token * x->cols, *d = x->d + token * (x->cols / 32);
    const int8_t *p = x->p + token * x->cols;
    switch (type) {
        case F32: return K(dot_floats)(F32, row, f, x->cols);
        case F16: return K(dot_floats)(F16, row, f, x->cols);
        case BF16: return K(dot_floats)(BF16, row, f, x->cols);
        case Q8_0: return K(dot_q8_0)(row, p, d, x->cols / 32);
        case Q4_0: return K(dot_q4_0)(row, p, d, x->cols / 32);
        case Q4_K: return K(dot_q4_k)(row, p, d, x->bias32 + token * (x->cols / 32), x->cols);
        default: return K(dot_q6_k)(row, p, d, x->cols);
    }
}

/* Sixteen rows into a panel, by way of unpack_*; rows past the last are zero. Costs about one store a weight, so
   it pays from a handful of tokens on. */
static void K(pack)(const Matrix *matrix, int64_t row, Panel *panel) {
    const int64_t cols = matrix->cols;
    panel->group = matrix->type == Q6_K ? 16 : 32;
    panel->has_min = matrix->type == Q4_K;
    for (int r = 0; r < PANEL; r++) {
        const uint8_t *from = row_of(matrix, smaller(row + r, matrix->rows - 1));
        if (!is_integer_type(matrix->type)) {
            unpack_floats(matrix->type, from, cols, panel->row_scale);
            for (int64_t c = 0; c < cols; c++) panel->f[c * PANEL + r] = panel->row_scale[c];
            continue;
        }
        unpack_integers(matrix->type, from, cols, panel->row_q, panel->row_scale, panel->row_min);
        for (int64_t c = 0; c < cols; c += 4) {
            uint32_t four;
            memcpy(&four, panel->row_q + c, 4);
            if (UNSIGNED) four ^= 0x80808080;
            memcpy(panel->q + c * PANEL + 4 * r, &four, 4);
        }
        for (int64_t g = 0; g < cols / panel->group; g++)
            panel->scale[g * PANEL + r] = panel->row_scale[g * (panel->group / 16)];
        for (int64_t b = 0; panel->has_min && b < cols / 32; b++) panel->min[b * PANEL + r] = panel->row_min[b];
    }
}

/* out[t][row] = sum_c panel[c][row] x[t][c]: one multiply-add a weight vector and token, all sums in registers. */
inlined void K(tile_floats)(const Panel *panel, const float *x, int64_t cols, float *out, const int tokens) {
    vf sum[TILE][VECTORS];
    for (int t = 0; t < tokens; t++)
        for (int v = 0; v < VECTORS; v++) sum[t][v] = K(all)(0);
    for (int64_t c = 0; c < cols; c++) {
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; v++) {
            vf w = K(load)(panel->f + c * PANEL + v * LANES);
#pragma GCC unroll 16
            for (int t = 0; t < tokens; t++) sum[t][v] += w * x[t * cols + c];
        }
    }
    for (int t = 0; t < tokens; t++)
        for (int v = 0; v < VECTORS; v++) K(store)(out + t * PANEL + v * LANES, sum[t][v]);
}

/* The same with integers: for each group of 16 or 32 columns exact sums of bytes, then scaled once:
   out[t][row] = sum_g d[t][g] (scale[g][row] (q . p) - min[g][row] (sum p)). */
inlined void K(tile_integers)(const Panel *panel, const Vectors *x, int64_t token, float *out, const int tokens,
                              const int group) {
    const int64_t cols = x->cols;
    const int8_t *p = x->p + token * cols;
    const float *d = x->d + token * (cols / 32);
    const int32_t *bias = (group == 16 ? x->bias16 : x->bias32) + token * (cols / group);
    const int32_t *bias32 = x->bias32 + token * (cols / 32);
    vf sum[TILE][VECTORS];
    for (int t = 0; t < tokens; t++)
        for (int v = 0; v < VECTORS; v++) sum[t][v] = K(all)(0);
    for (int64_t g = 0; g < cols / group; g++) {
        vi whole[TILE][VECTORS];
#pragma GCC unroll 16
        for (int t = 0; t < tokens; t++)
            for (int v = 0; v < VECTORS; v++)
                whole[t][v] = (vi){0} + (UNSIGNED ? bias[t * (cols / group) + g] : 0);
#pragma GCC unroll 8
        for (int i = 0; i < group / 4; i++) {
            const uint8_t *w = panel->q + (g * group / 4 + i) * (4 * PANEL);
            for (int v = 0; v < VECTORS; v++) {
                vi weights;
                memcpy(&weights, w + v * sizeof weights, sizeof weights);
#pragma GCC unroll 16
                for (int t = 0; t < tokens; t++) {
                    int32_t four;
                    memcpy(&four, p + t * cols + g * group + 4 * i, 4);
                    whole[t][v] = K(dot4)(whole[t][v], weights, (vi){0} + four);
                }
            }
        }
        for (int v = 0; v < VECTORS; v++) {
            vf scale = K(load)(panel->scale + g * PANEL + v * LANES);
#pragma GCC unroll 16
            for (int t = 0; t < tokens; t++)
                sum[t][v] += __builtin_convertvector(whole[t][v], vf) * (scale * d[t * (cols / 32) + g * group / 32]);
        }
        if (panel->has_min)
            for (int v = 0; v < VECTORS; v++) {
                vf min = K(load)(panel->min + g * PANEL + v * LANES) * (1 / 128.0f);
                for (int t = 0; t < tokens; t++) {
                    int64_t b = t * (cols / 32) + g;
                    sum[t][v] += min * (d[b] * (float)bias32[b]);
                }
            }
    }
    for (int t = 0; t < tokens; t++)
        for (int v = 0; v < VECTORS; v++) K(store)(out + t * PANEL + v * LANES, sum[t][v]);
}

static void K(tile)(const Panel *panel, int32_t type, const Vectors *x, int64_t from, int64_t to, float *out) {
    const float *f = x->f;
    int64_t t = from;
    for (; t + TILE <= to; t += TILE, out += TILE * PANEL) {
        if (!is_integer_type(type)) K(tile_floats)(panel, f + t * x->cols, x->cols, out, TILE);
        else if (panel->group == 32) K(tile_integers)(panel, x, t, out, TILE, 32);
        else K(tile_integers)(panel, x, t, out, TILE, 16);
    }
    for (; t < to; t++, out += PANEL) {
        if (!is_integer_type(type)) K(tile_floats)(panel, f + t * x->cols, x->cols, out, 1);
        else if (panel->group == 32) K(tile_integers)(panel, x, t, out, 1, 32);
        else K(tile_integers)(panel, x, t, out, 1, 16);
    }
}

/* Rounds by adding 1.5 x 2^23, which leaves the integer in the lowest bits: no branch, so the compiler's own
   vectors do. */
static void K(quantise)(Vectors *x, int64_t token) {
    for (int64_t b = token * (x->cols / 32); b < (token + 1) * (x->cols / 32); b++) {
        const float *f = x->f + b * 32;
        int8_t *p = x->p + b * 32;
        int32_t bits[32], most = 0, first = 0, second = 0;
        memcpy(bits, f, sizeof bits);
        for (int i = 0; i < 32; i++) {
            int32_t size = bits[i] & 0x7fffffff;
            most = size > most ? size : most;
        }
        float largest = as_float((uint32_t)most);
        bool finite = most < 0x7f800000, usable = finite && largest > 1e-30f;
        float inverse = usable ? 127 / largest : 0;
        x->d[b] = finite ? (usable ? largest / 127 : 0) : NAN;
        float shifted[32];
        for (int i = 0; i < 32; i++) shifted[i] = (usable ? f[i] : 0) * inverse + 12582912.0f;
        memcpy(bits, shifted, sizeof bits);
        for (int i = 0; i < 32; i++) p[i] = (int8_t)(bits[i] - 0x4b400000);
        for (int i = 0; i < 16; i++) first += p[i];
        for (int i = 16; i < 32; i++) second += p[i];
        x->bias16[2 * b] = -128 * first;
        x->bias16[2 * b + 1] = -128 * second;
        x->bias32[b] = -128 * (first + second);
    }
}

static void K(normalise)(const float *x, const float *weight, int64_t size, float epsilon, float *out) {
    vf sum[2] = {{0}, {0}};
    int64_t i = 0;
    for (; i + 2 * LANES <= size; i += 2 * LANES)
        for (int j = 0; j < 2; j++) sum[j] += K(load)(x + i + j * LANES) * K(load)(x + i + j * LANES);
    float squares = K(sum)(sum[0] + sum[1]);
    for (; i < size; i++) squares += x[i] * x[i];
    float scale = 1 / sqrtf(squares / (float)size + epsilon);
    for (i = 0; i < size; i++) out[i] = x[i] * scale * weight[i];
}

#define ROW(base, i) ((const uint8_t *)(base) + (i) * size * (half ? 2 : 4))
static void K(look)(const float *q, const void *keys, bool half, int64_t count, int64_t size, float scale,
                    float *out) {
    for (int64_t i = 0; i < count; i++)
        out[i] = scale * (half ? K(dot_floats)(F16, ROW(keys, i), q, size)
                               : K(dot_floats)(F32, ROW(keys, i), q, size));
}

/* out += sum_i p_i v_i, four vectors of the head at a time so that their sums stay in registers. */
inlined void K(mix_columns)(const float *p, const void *values, const bool half, int64_t count, int64_t size,
                            int64_t at, float *out, const int vectors) {
    vf sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = K(load)(out + at + v * LANES);
    for (int64_t i = 0; i < count; i++)
        for (int v = 0; v < vectors; v++) {
            const uint8_t *row = ROW(values, i) + (at + v * LANES) * (half ? 2 : 4);
            sum[v] += (half ? K(load_half)(row) : K(load)((const float *)row)) * p[i];
        }
    for (int v = 0; v < vectors; v++) K(store)(out + at + v * LANES, sum[v]);
}

inlined void K(mix_as)(const float *p, const void *values, const bool half, int64_t count, int64_t size, float *out) {
    int64_t at = 0;
    for (; at + 4 * LANES <= size; at += 4 * LANES) K(mix_columns)(p, values, half, count, size, at, out, 4);
    for (; at + LANES <= size; at += LANES) K(mix_columns)(p, values, half, count, size, at, out, 1);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = at; j < size; j++)
            out[j] += p[i] * (half ? half_at(ROW(values, i) + 2 * j) : ((const float *)ROW(values, i))[j]);
}
#undef ROW

static void K(mix)(const float *p, const void *values, bool half, int64_t count, int64_t size, float *out) {
    if (half) K(mix_as)(p, values, true, count, size, out);
    else K(mix_as)(p, values, false, count, size, out);
}

/* e^x to about one unit in the last place: x = n ln 2 + r, e^r by Cephes' polynomial, 2^n into the exponent. */
inlined vf K(exponential)(vf x) {
    x = K(choose)(x > 88.0f, K(all)(88.0f), K(choose)(x < -87.0f, K(all)(-87.0f), x));
    vf shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vf e = K(all)(1.9875691500e-4f);
    e = e * r + 1.3981999507e-3f;
    e = e * r + 8.3334519073e-3f;
    e = e * r + 4.1665795894e-2f;
    e = e * r + 1.6666665459e-1f;
    e = e * r + 5.0000001201e-1f;
    e = e * r * r + r + 1.0f;
    return e * (vf)(((vi)shifted - 0x4b400000 + 127) << 23);
}

static void K(softmax)(float *x, int64_t size) {
    float most = x[0], total;
    vf highest = K(all)(x[0]), sum = K(all)(0);
    int64_t i = 0;
    for (; i + LANES <= size; i += LANES) highest = K(most)(highest, K(load)(x + i));
    for (int j = 0; j < LANES; j++) most = highest[j] > most ? highest[j] : most;
    for (; i < size; i++) most = x[i] > most ? x[i] : most;
    for (i = 0; i + LANES <= size; i += LANES) {
        vf e = K(exponential)(K(load)(x + i) - most);
        sum += e;
        K(store)(x + i, e);
    }
    for (total = K(sum)(sum); i < size; i++) total += x[i] = expf(x[i] - most);
    for (i = 0; i < size; i++) x[i] /= total;
}

static void K(swiglu)(float *gate, const float *up, int64_t size) {
    int64_t i = 0;
    for (; i + LANES <= size; i += LANES) {
        vf g = K(load)(gate + i);
        K(store)(gate + i, g / (K(exponential)(-g) + 1.0f) * K(load)(up + i));
    }
    swiglu_scalar(gate + i, up + i, size - i);
}

static const Kernels K(kernels) = {
#if KERNEL_SET == SET_AVX512
    "avx512",
#elif KERNEL_SET == SET_AVX2
    "avx2",
#else
    "neon",
#endif
    K(dot), K(pack), K(tile), K(quantise), K(normalise), K(look), K(mix), K(softmax), K(swiglu),
};

#undef vf
#undef vi
#undef block
#undef part
#undef K
#undef inlined
#undef LANES
#undef TILE
#undef UNSIGNED
#undef VECTORS
#else /* !KERNEL_SET: include the half above once for each set this machine's family may have */

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#define KERNEL_SET SET_AVX2
#include "run.c"
#undef KERNEL_SET
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target( \
    "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#define KERNEL_SET SET_AVX512
#include "run.c"
#undef KERNEL_SET
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#elif defined(__aarch64__)
#define KERNEL_SET SET_NEON
#include "run.c"
#undef KERNEL_SET
#endif

/* The best set this machine has, or the one that NEXTWORD_KERNELS names if this machine has it. */
static const Kernels *choose_kernels(Error *error) {
    const Kernels *have[4] = {&kernels_scalar};
    int count = 1;
#if defined(__x86_64__)
    unsigned a, b, c = 0, d;  /* older clang's __builtin_cpu_supports does not know f16c */
    bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    bool avx2 = f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2) have[count++] = &kernels_avx2;
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni"))
        have[count++] = &kernels_avx512;
#elif defined(__aarch64__)
    have[count++] = &kernels_neon;
#endif
    const char *wanted = getenv("NEXTWORD_KERNELS");
    if (!wanted || !*wanted) return have[count - 1];
    for (int i = 0; i < count; i++) if (!strcmp(have[i]->name, wanted)) return have[i];
    char names[64] = "";
    for (int i = 0; i < count; i++) {
        strcat(names, i ? " or " : "");
        strcat(names, have[i]->name);
    }
    explain(error, "NEXTWORD_KERNELS=%.20s is not among this machine's; unset it, or choose %s", wanted, names);
    return NULL;
}

/* ---- 5 Team ------------------------------------------------------------------------------------------------- */

/* All threads run the same pass and meet at barriers; between two of them they claim pieces of the work from one
   counter, so that a thread the system put aside delays others by one piece only. A waiter spins a moment (the
   others are usually microseconds away), then sleeps: a machine with more to do than cores is not made worse. */
typedef struct {
    int threads, spins;
    atomic_long next;                     /* first piece nobody has claimed */
    atomic_uint phase, arrived, sleeping;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    void (*work)(void *argument, int thread);
    void *argument;
    bool quit;
    pthread_t *thread;
} Team;

typedef struct { Team *team; int number; } Seat;

static void relax(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Wait until every thread is here; then nothing is claimed. */
static void barrier(Team *team) {
    unsigned phase = atomic_load(&team->phase);
    if (atomic_fetch_add(&team->arrived, 1) + 1 == (unsigned)team->threads) {
        atomic_store(&team->arrived, 0);
        atomic_store(&team->next, 0);
        atomic_store(&team->phase, phase + 1);
        if (!atomic_load(&team->sleeping)) return;  /* a sleeper counts itself before it looks at phase again */
        pthread_mutex_lock(&team->lock);
        pthread_cond_broadcast(&team->wake);
        pthread_mutex_unlock(&team->lock);
        return;
    }
    for (int i = 0; i < team->spins; i++) {
        if (atomic_load_explicit(&team->phase, memory_order_acquire) != phase) return;
        relax();
    }
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->sleeping, 1);
    while (atomic_load(&team->phase) == phase) pthread_cond_wait(&team->wake, &team->lock);
    atomic_fetch_sub(&team->sleeping, 1);
    pthread_mutex_unlock(&team->lock);
}

/* The next unclaimed pieces of total, at most chunk of them; false when all are taken. */
static bool claim(Team *team, int64_t total, int64_t chunk, int64_t *from, int64_t *to) {
    *from = atomic_fetch_add_explicit(&team->next, chunk, memory_order_relaxed);
    *to = smaller(total, *from + chunk);
    return *from < total;
}

/* So many pieces at a time that each thread comes back a few times: often enough to share evenly. */
static int64_t fair_chunk(const Team *team, int64_t total) { return larger(1, total / (team->threads * 6)); }

static void *sit(void *argument) {
    Seat seat = *(Seat *)argument;
    free(argument);
    for (;;) {
        barrier(seat.team);
        if (seat.team->quit) return NULL;
        seat.team->work(seat.team->argument, seat.number);
        barrier(seat.team);
    }
}

static void run_team(Team *team, void (*work)(void *, int), void *argument) {
    team->work = work;
    team->argument = argument;
    barrier(team);
    work(argument, 0);
    barrier(team);
}

static void close_team(Team *team) {
    if (!team->thread) return;
    team->quit = true;
    if (team->threads > 1) barrier(team);
    for (int i = 1; i < team->threads; i++) pthread_join(team->thread[i], NULL);
    pthread_mutex_destroy(&team->lock);
    pthread_cond_destroy(&team->wake);
    free(team->thread);
    team->thread = NULL;
}

/* How many cores this process may use. */
static int usable_cores(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (int)count;
}

/* A thread that cannot be had is done without. */
static bool open_team(Team *team, int threads, Error *error) {
    memset(team, 0, sizeof *team);
    team->spins = threads > usable_cores() ? 0 : 2000;  /* spinning for one that cannot run helps nobody */
    team->thread = calloc((size_t)threads, sizeof(pthread_t));
    if (!team->thread) return no_memory(error, "the threads");
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->wake, NULL);
    team->threads = threads;  /* nobody passes the first barrier before all have come */
    for (int i = 1; i < threads; i++) {
        Seat *seat = malloc(sizeof *seat);
        if (seat) *seat = (Seat){team, i};
        if (!seat || pthread_create(&team->thread[i], NULL, sit, seat)) {
            free(seat);
            team->threads = i;
            close_team(team);
            return fail(error, "cannot start %d threads; use fewer", threads);
        }
    }
    return true;
}

/* ---- 6 Model ------------------------------------------------------------------------------------------------ */

typedef struct {
    int64_t layers, C, H, K, D, F, V, context;
    int64_t rotated;   /* how many of a head's D numbers RoPE turns */
    float epsilon;
} Shape;

typedef struct {
    Matrix q, k, v, o, gate, up, down;
    float *attention_norm, *feed_norm;  /* (C) */
} Layer;

typedef struct {
    Gguf gguf;
    Shape shape;
    Matrix embedding, head;   /* (V, C) both; the same where the file has no head */
    Layer *layer;
    float *final_norm;        /* (C) */
    float *frequency;         /* (rotated / 2) radians a position */
} Model;

static bool find_matrix(Gguf *gguf, const char *name, int64_t rows, int64_t cols, Matrix *out, Error *error) {
    const Tensor *tensor = find_tensor(gguf, name);
    if (!tensor) return fail(error, "tensor %s is missing; export the model again", name);
    uint32_t type = tensor->type;
    if (type >= TYPES || !formats[type].name)
        return fail(error, "tensor %s has weights of type %" PRIu32 "; export it as F32, F16, BF16, Q8_0, Q4_0, Q4_K "
                    "or Q6_K", name, type);
    if (tensor->shape[0] != (uint64_t)cols || tensor->shape[1] != (uint64_t)rows || tensor->shape[2] != 1 ||
        tensor->shape[3] != 1)
        return fail(error, "tensor %s is %" PRIu64 " x %" PRIu64 ", expected %" PRId64 " x %" PRId64 "; its keys do "
                    "not fit its weights", name, tensor->shape[1], tensor->shape[0], rows, cols);
    if (cols % formats[type].block)
        return fail(error, "tensor %s has rows of %" PRId64 ", which %s cannot hold; export it as F16", name, cols,
                    formats[type].name);
    uint64_t row_bytes = (uint64_t)(cols / formats[type].block) * (uint64_t)formats[type].bytes;
    uint64_t size = row_bytes * (uint64_t)rows;  /* rows and cols are bounded: no overflow */
    if (tensor->offset % gguf->alignment)
        return fail(error, "tensor %s is not aligned: altered; copy the file again", name);
    if (tensor->offset > gguf->data.size || gguf->data.size - tensor->offset < size)
        return fail(error, "tensor %s ends past the end of the file: truncated; copy it again", name);
    *out = (Matrix){(int32_t)type, rows, cols, row_bytes, gguf->data.data + tensor->offset};
    return true;
}

/* A short tensor (a norm's weights), as floats of our own. */
static bool find_vector(Gguf *gguf, const char *name, int64_t size, float **out, Error *error) {
    Matrix row;
    if (!find_matrix(gguf, name, 1, size, &row, error)) return false;
    *out = room((uint64_t)size, sizeof(float));
    if (!*out) return no_memory(error, "the model");
    unpack_floats(row.type, row.data, size, *out);
    return true;
}

static bool read_shape(const Gguf *gguf, Shape *shape, Error *error) {
    Bytes architecture = read_string(gguf, "general.architecture");
    if (!same(architecture, LITERAL("llama")))
        return fail(error, "architecture is `%.*s`, and this program runs `llama` only; use a Llama-family model",
                    SHOWN(architecture));
    int64_t key_length, value_length, experts;
    double epsilon;
    bool good = read_integer(gguf, "llama.block_count", 0, 1, 4096, &shape->layers, error) &&
                read_integer(gguf, "llama.embedding_length", 0, 1, 1 << 18, &shape->C, error) &&
                read_integer(gguf, "llama.feed_forward_length", 0, 1, 1 << 20, &shape->F, error) &&
                read_integer(gguf, "llama.attention.head_count", 0, 1, 4096, &shape->H, error) &&
                read_integer(gguf, "llama.attention.head_count_kv", shape->H, 1, shape->H, &shape->K, error) &&
                read_integer(gguf, "llama.context_length", 0, 1, 1 << 24, &shape->context, error) &&
                read_integer(gguf, "llama.attention.key_length", shape->C / shape->H, 2, 4096, &key_length, error) &&
                read_integer(gguf, "llama.attention.value_length", key_length, 2, 4096, &value_length, error) &&
                read_integer(gguf, "llama.rope.dimension_count", key_length, 2, key_length, &shape->rotated, error) &&
                read_integer(gguf, "llama.expert_count", 0, 0, INT64_MAX, &experts, error) &&
                read_float(gguf, "llama.attention.layer_norm_rms_epsilon", 0, &epsilon, error);
    if (!good) return false;
    shape->D = key_length;
    shape->epsilon = (float)epsilon;
    if (experts) return fail(error, "a mixture of %" PRId64 " experts, which this program does not run", experts);
    if (value_length != key_length || key_length % 2 || shape->rotated % 2)
        return fail(error, "head length is %" PRId64 " for keys and %" PRId64 " for values, %" PRId64 " of it turned; "
                    "expected equal and even", key_length, value_length, shape->rotated);
    if (shape->H % shape->K)
        return fail(error, "%" PRId64 " heads cannot share %" PRId64 " key-value heads; its keys are altered",
                    shape->H, shape->K);
    return true;
}

/* theta_i = base^(-2i / rotated), stretched where the file says so: linear scaling divides all (Chen et al. 2023),
   Llama-3's factors (rope_freqs.weight) divide each. */
static bool read_rope(Model *model, Error *error) {
    Gguf *gguf = &model->gguf;
    int64_t pairs = model->shape.rotated / 2;
    double base, factor = 1;
    float *factors = NULL;
    Bytes scaling = read_string(gguf, "llama.rope.scaling.type");
    if (!read_float(gguf, "llama.rope.freq_base", 10000, &base, error)) return false;
    if (scaling.size && !same(scaling, LITERAL("none"))) {
        if (!same(scaling, LITERAL("linear")))
            return fail(error, "RoPE scaling `%.*s` is not one this program knows (linear, Llama-3's factors)",
                        SHOWN(scaling));
        if (!read_float(gguf, "llama.rope.scaling.factor", 1, &factor, error)) return false;
    }
    if (find_tensor(gguf, "rope_freqs.weight") &&
        !find_vector(gguf, "rope_freqs.weight", pairs, &factors, error)) return false;
    model->frequency = room((uint64_t)pairs, sizeof(float));
    if (!model->frequency) {
        release(factors);
        return no_memory(error, "the model");
    }
    for (int64_t i = 0; i < pairs; i++)
        model->frequency[i] = (float)(pow(base, -2.0 * (double)i / (double)model->shape.rotated) / factor) /
                              (factors ? factors[i] : 1);
    release(factors);
    return true;
}

static bool read_layer(Model *model, int64_t number, Error *error) {
    Gguf *gguf = &model->gguf;
    const Shape *s = &model->shape;
    Layer *layer = &model->layer[number];
    const struct { const char *name; int64_t rows, cols; Matrix *matrix; float **vector; } parts[] = {
        {"attn_norm", 1, s->C, NULL, &layer->attention_norm},
        {"attn_q", s->H * s->D, s->C, &layer->q, NULL},
        {"attn_k", s->K * s->D, s->C, &layer->k, NULL},
        {"attn_v", s->K * s->D, s->C, &layer->v, NULL},
        {"attn_output", s->C, s->H * s->D, &layer->o, NULL},
        {"ffn_norm", 1, s->C, NULL, &layer->feed_norm},
        {"ffn_gate", s->F, s->C, &layer->gate, NULL},
        {"ffn_up", s->F, s->C, &layer->up, NULL},
        {"ffn_down", s->C, s->F, &layer->down, NULL},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%" PRId64 ".%s.weight", number, parts[i].name);
        if (parts[i].matrix ? !find_matrix(gguf, name, parts[i].rows, parts[i].cols, parts[i].matrix, error)
                            : !find_vector(gguf, name, parts[i].cols, parts[i].vector, error)) return false;
    }
    return true;
}

/* A tensor that nobody asked for (a bias, an expert) would change the answer if it were ignored. */
static bool refuse_unused(const Gguf *gguf, Error *error) {
    for (uint64_t i = 0; i < gguf->tensors; i++)
        if (!gguf->tensor[i].used)
            return fail(error, "tensor %.*s is none that a plain Llama has; this program would ignore it",
                        SHOWN(gguf->tensor[i].name));
    return true;
}

static bool read_model(Bytes file, Model *model, Error *error) {
    memset(model, 0, sizeof *model);
    if (!parse_gguf(file, &model->gguf, error)) return false;
    Gguf *gguf = &model->gguf;
    Shape *s = &model->shape;
    if (!read_shape(gguf, s, error)) return false;
    const Tensor *embedding = find_tensor(gguf, "token_embd.weight");
    if (!embedding) return fail(error, "tensor token_embd.weight is missing; export the model again");
    if (embedding->shape[1] < 1 || embedding->shape[1] > 1 << 24)
        return fail(error, "its vocabulary of %" PRIu64 " tokens is not plausible: altered", embedding->shape[1]);
    s->V = (int64_t)embedding->shape[1];
    if ((uint64_t)s->layers > gguf->tensors)
        return fail(error, "it has fewer tensors than layers: altered; copy it again");
    model->layer = room((uint64_t)s->layers, sizeof(Layer));
    if (!model->layer) return no_memory(error, "the model");
    if (!find_matrix(gguf, "token_embd.weight", s->V, s->C, &model->embedding, error) ||
        !find_vector(gguf, "output_norm.weight", s->C, &model->final_norm, error) || !read_rope(model, error))
        return false;
    model->head = model->embedding;
    if (find_tensor(gguf, "output.weight") &&
        !find_matrix(gguf, "output.weight", s->V, s->C, &model->head, error)) return false;
    for (int64_t i = 0; i < s->layers; i++) if (!read_layer(model, i, error)) return false;
    return refuse_unused(gguf, error);
}

static void close_model(Model *model) {
    for (int64_t i = 0; model->layer && i < model->shape.layers; i++) {
        release(model->layer[i].attention_norm);
        release(model->layer[i].feed_norm);
    }
    release(model->layer);
    release(model->final_norm);
    release(model->frequency);
    close_gguf(&model->gguf);
    memset(model, 0, sizeof *model);
}

/* ---- 7 Pages ------------------------------------------------------------------------------------------------ */

/* What attention remembers of a position, its keys and values in every layer, lies in slot (position % page_size)
   of a page; a page table says which page of the pool holds positions 0.., page_size.., and so on. The caller owns
   the tables, so two sequences may share the pages of a common beginning, and a page may be copied, read out to a
   disk and written back. In a page: [layer][keys, values][K][slot][D], so that a head reads straight through. */
typedef struct {
    uint8_t *memory;
    int64_t pages, page_size, heads, head;  /* head: D */
    bool half;                              /* halves instead of floats: half the memory, text may differ */
    uint64_t row_bytes, page_bytes;
} Pool;

static bool open_pool(Pool *pool, const Shape *shape, int64_t pages, int64_t page_size, bool half, Error *error) {
    *pool = (Pool){NULL, pages, page_size, shape->K, shape->D, half, 0, 0};
    pool->row_bytes = (uint64_t)shape->D * (half ? 2 : 4);
    pool->page_bytes = (uint64_t)(shape->layers * 2 * shape->K * page_size) * pool->row_bytes;
    pool->memory = room((uint64_t)pages, pool->page_bytes);
    if (!pool->memory) return no_memory(error, "the keys and values");
    return true;
}

/* Where a layer's keys (kind 0) or values (1) of one head start in a page; slots follow each other. */
static uint8_t *slots(const Pool *pool, int64_t page, int64_t layer, int kind, int64_t head) {
    uint64_t row = (uint64_t)(((layer * 2 + kind) * pool->heads + head) * pool->page_size);
    return pool->memory + (uint64_t)page * pool->page_bytes + row * pool->row_bytes;
}

static void remember(const Pool *pool, uint8_t *first_slot, int64_t slot, const float *x) {
    uint8_t *at = first_slot + (uint64_t)slot * pool->row_bytes;
    if (!pool->half) {
        memcpy(at, x, pool->row_bytes);
        return;
    }
    for (int64_t i = 0; i < pool->head; i++) ((uint16_t *)at)[i] = to_half(x[i]);
}

/* ---- 8 Forward ---------------------------------------------------------------------------------------------- */

enum {
    PASS = 512,     /* tokens that go through the layers together; longer batches take several passes */
    FEW = 6,        /* below this many tokens a row is dotted with each; from it on panels pay */
    STRIPE = 32,    /* rows that one piece of work has when tokens are few */
};

/* The caller's request: count tokens, each at a position of a sequence whose row of tables (width pages) says where
   its past lies. Tokens of one sequence come in rising position. A wanted token gets a row of V logits. */
typedef struct {
    const int32_t *tokens, *positions, *sequences, *tables;
    const uint8_t *wanted;
    int64_t count, width;
    float *logits;
} Batch;

typedef struct {
    Panel panel;
    float *out, *out2;   /* (PASS, STRIPE): products on their way out */
    float *scores;       /* (H/K, longest past) */
} Desk;                  /* what each thread has to itself */

typedef struct Engine {
    Bytes file;
    Model model;
    Pool pool;
    Team team;
    const Kernels *kernels;
    Desk *desk;
    int64_t longest;         /* positions the desks' scores have room for */
    Batch batch;             /* of the current pass */
    int64_t wanted;
    float *x;                /* (T, C) the stream that every layer adds to */
    Vectors normed, mixed, inner;  /* (T, C); (T, H D) and (T, F), which share their memory */
    float *q, *k, *v;        /* (T, H D), (T, K D) */
    float *cosine, *sine;    /* (T, rotated / 2) */
    struct Tokenizer *tokenizer;
} Engine;

/* What happens to y = W x: it is stored, added, or becomes silu(y) x (up x), the two halves of SwiGLU. */
typedef enum { STORE, ADD, GATE } Finish;

typedef struct {
    const Matrix *w, *up;
    float *out;   /* (T, w->rows) */
    Finish finish;
} Product;

/* Rows row..row+rows of y for all tokens, which lie in y (T, width), to where the product wants them. */
static void finish_product(const Engine *e, const Product *product, int64_t row, int64_t rows, int64_t width,
                           float *y, const float *up, int64_t tokens) {
    if (product->finish == GATE) e->kernels->swiglu(y, up, tokens * width);
    for (int64_t t = 0; t < tokens; t++) {
        float *out = product->out + t * product->w->rows + row;
        if (product->finish == ADD)
            for (int64_t r = 0; r < rows; r++) out[r] += y[t * width + r];
        else
            memcpy(out, y + t * width, (size_t)rows * sizeof(float));
    }
}

/* Rows row..row+rows of W x into y (T, step): dotted one by one while tokens are few, by panels otherwise. */
static void multiply_rows(Engine *e, Desk *desk, const Matrix *w, int64_t row, int64_t rows, const Vectors *x,
                          int64_t tokens, bool few, float *y) {
    if (!few) {
        e->kernels->pack(w, row, &desk->panel);
        e->kernels->tile(&desk->panel, w->type, x, 0, tokens, y);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = 0; t < tokens; t++)
            y[t * STRIPE + r] = e->kernels->dot(w->type, row_of(w, row + r), x, t);
}

/* Several products of the same vectors; a piece of work is some rows of one of them. Ends in a barrier. */
static void multiply(Engine *e, int thread, const Vectors *x, int64_t tokens, const Product *products, int count) {
    Desk *desk = &e->desk[thread];
    bool few = tokens < FEW || !e->kernels->tile;
    int64_t step = few ? STRIPE : PANEL, total = 0, from, to;
    for (int i = 0; i < count; i++) total += (products[i].w->rows + step - 1) / step;
    int64_t chunk = fair_chunk(&e->team, total);
    while (claim(&e->team, total, chunk, &from, &to))
        for (int64_t piece = from; piece < to; piece++) {
            const Product *product = products;
            int64_t row = piece * step, padded;
            while (row >= (padded = (product->w->rows + step - 1) / step * step)) {
                row -= padded;
                product++;
            }
            int64_t rows = smaller(step, product->w->rows - row);
            multiply_rows(e, desk, product->w, row, rows, x, tokens, few, desk->out);
            if (product->up) multiply_rows(e, desk, product->up, row, rows, x, tokens, few, desk->out2);
            finish_product(e, product, row, rows, step, desk->out, desk->out2, tokens);
        }
    barrier(&e->team);
}

/* Work that each token has to itself, shared among the threads; a barrier must follow. */
#define EACH_TOKEN(t, tokens)                                                                                \
    for (int64_t from_, to_; claim(&e->team, tokens, fair_chunk(&e->team, tokens), &from_, &to_);)           \
        for (int64_t t = from_; t < to_; t++)

static bool any_integers(const Matrix *a, const Matrix *b, const Matrix *c) {
    return is_integer_type(a->type) || is_integer_type(b->type) || is_integer_type(c->type);
}

static void normalise_all(Engine *e, const float *weight, bool quantise) {
    const Shape *s = &e->model.shape;
    EACH_TOKEN(t, e->batch.count) {
        e->kernels->normalise(e->x + t * s->C, weight, s->C, s->epsilon, e->normed.f + t * s->C);
        if (quantise) e->kernels->quantise(&e->normed, t);
    }
    barrier(&e->team);
}

static void quantise_all(Engine *e, Vectors *x, const Matrix *for_whom) {
    if (!is_integer_type(for_whom->type)) return;
    EACH_TOKEN(t, e->batch.count) e->kernels->quantise(x, t);
    barrier(&e->team);
}

/* x_t = embedding of its token; and the angles of its position. */
static void embed(Engine *e) {
    const Shape *s = &e->model.shape;
    EACH_TOKEN(t, e->batch.count) {
        const Matrix *table = &e->model.embedding;
        unpack_floats(table->type, row_of(table, e->batch.tokens[t]), s->C, e->x + t * s->C);
        for (int64_t i = 0; i < s->rotated / 2; i++) {
            float angle = (float)e->batch.positions[t] * e->model.frequency[i];
            e->cosine[t * (s->rotated / 2) + i] = cosf(angle);
            e->sine[t * (s->rotated / 2) + i] = sinf(angle);
        }
    }
    barrier(&e->team);
}

/* RoPE on heads x (heads, D): turn each pair (2i, 2i+1) by its angle. */
static void rotate(float *x, int64_t heads, int64_t D, const float *cosine, const float *sine, int64_t pairs) {
    for (int64_t h = 0; h < heads; h++, x += D)
        for (int64_t i = 0; i < pairs; i++) {
            float a = x[2 * i], b = x[2 * i + 1];
            x[2 * i] = a * cosine[i] - b * sine[i];
            x[2 * i + 1] = a * sine[i] + b * cosine[i];
        }
}

static int64_t page_of(const Batch *batch, int64_t token, int64_t number) {
    return batch->tables[batch->sequences[token] * batch->width + number];
}

/* Turn queries and keys, and put keys and values into their slots. */
static void rotate_and_remember(Engine *e, int64_t layer) {
    const Shape *s = &e->model.shape;
    const Pool *pool = &e->pool;
    EACH_TOKEN(t, e->batch.count) {
        int64_t pairs = s->rotated / 2, position = e->batch.positions[t];
        int64_t page = page_of(&e->batch, t, position / pool->page_size), slot = position % pool->page_size;
        float *key = e->k + t * s->K * s->D, *value = e->v + t * s->K * s->D;
        rotate(e->q + t * s->H * s->D, s->H, s->D, e->cosine + t * pairs, e->sine + t * pairs, pairs);
        rotate(key, s->K, s->D, e->cosine + t * pairs, e->sine + t * pairs, pairs);
        for (int64_t h = 0; h < s->K; h++) {
            remember(pool, slots(pool, page, layer, 0, h), slot, key + h * s->D);
            remember(pool, slots(pool, page, layer, 1, h), slot, value + h * s->D);
        }
    }
    barrier(&e->team);
}

/* softmax(q K / sqrt(D)) V for one token and the query heads that share one key-value head. Page by page, so that
   keys and values are read from memory once for all of those heads. */
static void attend(Engine *e, Desk *desk, int64_t layer, int64_t t, int64_t head) {
    const Shape *s = &e->model.shape;
    const Pool *pool = &e->pool;
    int64_t group = s->H / s->K, past = e->batch.positions[t] + 1;
    const float *q = e->q + (t * s->H + head * group) * s->D;
    float *out = e->mixed.f + (t * s->H + head * group) * s->D, scale = 1 / sqrtf((float)s->D);
    for (int64_t at = 0; at < past; at += pool->page_size) {
        const uint8_t *keys = slots(pool, page_of(&e->batch, t, at / pool->page_size), layer, 0, head);
        int64_t count = smaller(pool->page_size, past - at);
        for (int64_t g = 0; g < group; g++)
            e->kernels->look(q + g * s->D, keys, pool->half, count, s->D, scale, desk->scores + g * past + at);
    }
    for (int64_t g = 0; g < group; g++) e->kernels->softmax(desk->scores + g * past, past);
    memset(out, 0, (size_t)(group * s->D) * sizeof(float));
    for (int64_t at = 0; at < past; at += pool->page_size) {
        const uint8_t *values = slots(pool, page_of(&e->batch, t, at / pool->page_size), layer, 1, head);
        int64_t count = smaller(pool->page_size, past - at);
        for (int64_t g = 0; g < group; g++)
            e->kernels->mix(desk->scores + g * past + at, values, pool->half, count, s->D, out + g * s->D);
    }
}

static void attend_all(Engine *e, int thread, int64_t layer) {
    int64_t total = e->batch.count * e->model.shape.K, from, to;
    while (claim(&e->team, total, fair_chunk(&e->team, total), &from, &to))
        for (int64_t i = from; i < to; i++)
            attend(e, &e->desk[thread], layer, i / e->model.shape.K, i % e->model.shape.K);
    barrier(&e->team);
}

/* The scores of every next token, for the tokens that were asked for: their streams move to the front first. */
static void score_wanted(Engine *e, int thread) {
    const Shape *s = &e->model.shape;
    if (thread == 0) {
        int64_t n = 0;
        for (int64_t t = 0; t < e->batch.count; t++)
            if (e->batch.wanted[t]) memmove(e->x + n++ * s->C, e->x + t * s->C, (size_t)s->C * sizeof(float));
        e->batch.count = e->wanted = n;
    }
    barrier(&e->team);
    if (!e->wanted) return;
    normalise_all(e, e->model.final_norm, is_integer_type(e->model.head.type));
    multiply(e, thread, &e->normed, e->wanted, &(Product){&e->model.head, NULL, e->batch.logits, STORE}, 1);
}

/* One pass of at most PASS tokens, run by every thread of the team. */
static void forward(void *engine, int thread) {
    Engine *e = engine;
    int64_t T = e->batch.count;
    embed(e);
    for (int64_t i = 0; i < e->model.shape.layers; i++) {
        const Layer *l = &e->model.layer[i];
        const Product qkv[] = {{&l->q, NULL, e->q, STORE}, {&l->k, NULL, e->k, STORE}, {&l->v, NULL, e->v, STORE}};
        normalise_all(e, l->attention_norm, any_integers(&l->q, &l->k, &l->v));
        multiply(e, thread, &e->normed, T, qkv, 3);
        rotate_and_remember(e, i);
        attend_all(e, thread, i);
        quantise_all(e, &e->mixed, &l->o);
        multiply(e, thread, &e->mixed, T, &(Product){&l->o, NULL, e->x, ADD}, 1);
        normalise_all(e, l->feed_norm, any_integers(&l->gate, &l->gate, &l->up));
        multiply(e, thread, &e->normed, T, &(Product){&l->gate, &l->up, e->inner.f, GATE}, 1);
        quantise_all(e, &e->inner, &l->down);
        multiply(e, thread, &e->inner, T, &(Product){&l->down, NULL, e->x, ADD}, 1);
    }
    score_wanted(e, thread);
}

static bool check_batch(const Engine *e, const Batch *batch, int64_t rows, Error *error) {
    if (batch->count < 0 || rows < 1 || batch->width < 1) return fail(error, "an empty page table");
    for (int64_t t = 0; t < batch->count; t++) {
        int64_t token = batch->tokens[t], position = batch->positions[t], sequence = batch->sequences[t];
        if (token < 0 || token >= e->model.shape.V)
            return fail(error, "token %" PRId64 " is outside the vocabulary of %" PRId64, token, e->model.shape.V);
        if (sequence < 0 || sequence >= rows)
            return fail(error, "sequence %" PRId64 " has no page table (%" PRId64 " given)", sequence, rows);
        if (position < 0 || position / e->pool.page_size >= batch->width)
            return fail(error, "position %" PRId64 " is beyond its page table of %" PRId64 " pages", position,
                        batch->width);
        for (int64_t i = 0; i <= position / e->pool.page_size; i++) {
            int64_t page = batch->tables[sequence * batch->width + i];
            if (page < 0 || page >= e->pool.pages)
                return fail(error, "page %" PRId64 " is outside the pool of %" PRId64, page, e->pool.pages);
        }
    }
    return true;
}

/* Room for the attention scores of the longest past in this batch. */
static bool widen_desks(Engine *e, const Batch *batch, Error *error) {
    int64_t longest = 0;
    for (int64_t t = 0; t < batch->count; t++) longest = larger(longest, batch->positions[t] + 1);
    if (longest <= e->longest) return true;
    longest = larger(longest, 2 * e->longest);
    for (int i = 0; i < e->team.threads; i++) {
        release(e->desk[i].scores);
        e->desk[i].scores = room((uint64_t)(longest * (e->model.shape.H / e->model.shape.K)), sizeof(float));
        e->longest = e->desk[i].scores ? e->longest : 0;
        if (!e->desk[i].scores) return no_memory(error, "attention over so long a text");
    }
    e->longest = longest;
    return true;
}

/* Run a batch of any length: PASS tokens at a time. rows: how many page tables there are. */
static bool decode(Engine *e, const Batch *batch, int64_t rows, Error *error) {
    if (!check_batch(e, batch, rows, error) || !widen_desks(e, batch, error)) return false;
    Batch rest = *batch;
    while (rest.count > 0) {
        e->batch = rest;
        int64_t taken = e->batch.count = smaller(PASS, rest.count);
        run_team(&e->team, forward, e);
        rest.tokens += taken;
        rest.positions += taken;
        rest.sequences += taken;
        rest.wanted += taken;
        rest.logits += e->wanted * e->model.shape.V;
        rest.count -= taken;
    }
    return true;
}

static bool open_vectors(Vectors *x, int64_t cols) {
    *x = (Vectors){cols, room(PASS, (uint64_t)cols * 4), room(PASS, (uint64_t)cols),
                   room(PASS, (uint64_t)cols / 8 + 4), room(PASS, (uint64_t)cols / 4 + 4),
                   room(PASS, (uint64_t)cols / 8 + 4)};
    return x->f && x->p && x->d && x->bias16 && x->bias32;
}

static void close_vectors(Vectors *x) {
    release(x->f);
    release(x->p);
    release(x->d);
    release(x->bias16);
    release(x->bias32);
}

static bool open_desk(Desk *desk, int64_t cols) {
    uint64_t width = (uint64_t)cols, panel = width * PANEL;
    desk->panel = (Panel){room(panel, 4), room(panel, 1), room(panel / 16 + PANEL, 4), room(panel / 32 + PANEL, 4),
                          32, false, room(width, 1), room(width, 4), room(width / 32 + 1, 4)};
    desk->out = room(PASS * STRIPE, 4);
    desk->out2 = room(PASS * STRIPE, 4);
    const Panel *p = &desk->panel;
    return p->f && p->q && p->scale && p->min && p->row_q && p->row_scale && p->row_min && desk->out && desk->out2;
}

static void close_desk(Desk *desk) {
    Panel *p = &desk->panel;
    void *all[] = {p->f, p->q, p->scale, p->min, p->row_q, p->row_scale, p->row_min, desk->out, desk->out2,
                   desk->scores};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) release(all[i]);
}

static bool open_desks(Engine *e, int threads, Error *error) {
    const Shape *s = &e->model.shape;
    uint64_t pairs = (uint64_t)s->rotated / 2 * 4, heads = (uint64_t)(s->H * s->D) * 4;
    uint64_t shared = (uint64_t)(s->K * s->D) * 4;
    int64_t widest = larger(s->H * s->D, s->F);
    e->x = room(PASS, (uint64_t)s->C * 4);
    e->q = room(PASS, heads);
    e->k = room(PASS, shared);
    e->v = room(PASS, shared);
    e->cosine = room(PASS, pairs);
    e->sine = room(PASS, pairs);
    e->desk = room((uint64_t)threads, sizeof(Desk));
    bool good = e->x && e->q && e->k && e->v && e->cosine && e->sine && e->desk;
    good = open_vectors(&e->normed, s->C) && good;
    good = open_vectors(&e->inner, widest) && good;
    e->mixed = e->inner;
    e->mixed.cols = s->H * s->D;
    e->inner.cols = s->F;
    for (int i = 0; i < threads && good; i++) good = open_desk(&e->desk[i], larger(widest, s->C));
    return good || no_memory(error, "the activations");
}

static void close_engine(Engine *e) {
    int threads = e->team.threads;
    close_team(&e->team);
    for (int i = 0; e->desk && i < threads; i++) close_desk(&e->desk[i]);
    close_vectors(&e->normed);
    close_vectors(&e->inner);
    void *all[] = {e->x, e->q, e->k, e->v, e->cosine, e->sine, e->desk, e->pool.memory};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) release(all[i]);
    close_model(&e->model);
    memset(e, 0, sizeof *e);
}

/* ---- 9 Unicode ---------------------------------------------------------------------------------------------- */

enum { OTHER, LETTER, NUMBER, SPACE };
enum { CODE_POINTS = 0x110000 };

/* The tables say, for \p{L} and \p{N}: skip so many code points, take so many, and again. */
/* begin generated by unicode_table.py */
static const uint32_t letter_runs[] = {
    65, 26, 6, 26, 47, 1, 10, 1, 4, 1, 5, 23, 1, 31, 1, 458, 4, 12, 14, 5, 7, 1, 1, 1, 129, 5, 1, 2, 2, 4, 1, 1, 6,
    1, 1, 3, 1, 1, 1, 20, 1, 83, 1, 139, 8, 166, 1, 38, 2, 1, 6, 41, 71, 27, 4, 4, 45, 43, 35, 2, 1, 99, 1, 1, 15,
    2, 7, 2, 10, 3, 2, 1, 16, 1, 1, 30, 29, 89, 11, 1, 24, 33, 9, 2, 4, 1, 5, 22, 4, 1, 9, 1, 3, 1, 23, 25, 7, 11,
    5, 24, 1, 6, 17, 42, 58, 54, 3, 1, 18, 1, 7, 10, 15, 16, 4, 8, 2, 2, 2, 22, 1, 7, 1, 1, 3, 4, 3, 1, 16, 1, 13,
    2, 1, 3, 14, 2, 10, 1, 8, 6, 4, 2, 2, 22, 1, 7, 1, 2, 1, 2, 1, 2, 31, 4, 1, 1, 19, 3, 16, 9, 1, 3, 1, 22, 1, 7,
    1, 2, 1, 5, 3, 1, 18, 1, 15, 2, 23, 1, 11, 8, 2, 2, 2, 22, 1, 7, 1, 2, 1, 5, 3, 1, 30, 2, 1, 3, 15, 1, 17, 1, 1,
    6, 3, 3, 1, 4, 3, 2, 1, 1, 1, 2, 3, 2, 3, 3, 3, 12, 22, 1, 52, 8, 1, 3, 1, 23, 1, 16, 3, 1, 26, 3, 2, 1, 2, 2,
    30, 1, 4, 8, 1, 3, 1, 23, 1, 10, 1, 5, 3, 1, 31, 2, 1, 2, 15, 2, 17, 9, 1, 3, 1, 41, 2, 1, 16, 1, 5, 3, 8, 3,
    24, 6, 5, 18, 3, 24, 1, 9, 1, 1, 2, 7, 58, 48, 1, 2, 12, 7, 58, 2, 1, 1, 1, 5, 1, 24, 1, 1, 1, 10, 1, 2, 9, 1,
    2, 5, 1, 1, 21, 4, 32, 1, 63, 8, 1, 36, 27, 5, 115, 43, 20, 1, 16, 6, 4, 4, 3, 1, 3, 2, 7, 3, 4, 13, 12, 1, 17,
    38, 1, 1, 5, 1, 2, 43, 1, 333, 1, 4, 2, 7, 1, 1, 1, 4, 2, 41, 1, 4, 2, 33, 1, 4, 2, 7, 1, 1, 1, 4, 2, 15, 1, 57,
    1, 4, 2, 67, 37, 16, 16, 86, 2, 6, 3, 620, 2, 17, 1, 26, 5, 75, 6, 8, 7, 18, 13, 19, 14, 18, 14, 13, 1, 3, 15,
    52, 35, 1, 4, 1, 67, 89, 7, 5, 2, 34, 1, 1, 5, 70, 10, 31, 49, 30, 2, 5, 11, 44, 4, 26, 54, 23, 9, 53, 82, 1,
    93, 47, 17, 8, 54, 30, 13, 2, 10, 44, 26, 36, 41, 3, 10, 36, 2, 11, 5, 43, 2, 3, 41, 4, 1, 6, 1, 2, 3, 1, 5,
    192, 64, 278, 2, 6, 2, 38, 2, 6, 2, 8, 1, 1, 1, 1, 1, 1, 1, 31, 2, 53, 1, 7, 1, 1, 3, 3, 1, 7, 3, 4, 2, 6, 4,
    13, 5, 3, 1, 7, 116, 1, 13, 1, 16, 13, 101, 1, 4, 1, 2, 10, 1, 1, 3, 5, 6, 1, 1, 1, 1, 1, 1, 4, 1, 11, 2, 4, 5,
    5, 4, 1, 52, 2, 2683, 229, 6, 4, 3, 2, 12, 38, 1, 1, 5, 1, 2, 56, 7, 1, 16, 23, 9, 7, 1, 7, 1, 7, 1, 7, 1, 7, 1,
    7, 1, 7, 1, 7, 80, 1, 469, 2, 42, 5, 5, 2, 4, 86, 6, 3, 1, 90, 1, 4, 5, 43, 1, 94, 17, 32, 48, 16, 512, 6592,
    64, 22157, 67, 46, 2, 269, 3, 16, 10, 2, 20, 47, 16, 31, 2, 70, 49, 9, 2, 103, 2, 67, 2, 2, 1, 1, 1, 8, 21, 16,
    1, 3, 1, 4, 1, 23, 29, 52, 14, 50, 62, 6, 3, 1, 1, 2, 11, 28, 10, 23, 25, 29, 7, 47, 28, 1, 16, 5, 1, 10, 10, 5,
    1, 41, 23, 3, 1, 8, 20, 23, 3, 1, 3, 50, 1, 1, 3, 2, 2, 5, 2, 1, 1, 1, 24, 3, 2, 11, 7, 3, 12, 6, 2, 6, 2, 6, 9,
    7, 1, 7, 1, 43, 1, 14, 6, 115, 29, 11172, 12, 23, 4, 49, 8452, 366, 2, 106, 38, 7, 12, 5, 5, 1, 1, 10, 1, 13, 1,
    5, 1, 1, 1, 2, 1, 2, 1, 108, 33, 363, 18, 64, 2, 54, 40, 12, 116, 5, 1, 135, 36, 26, 6, 26, 11, 89, 3, 6, 2, 6,
    2, 6, 2, 3, 35, 12, 1, 26, 1, 19, 1, 2, 1, 15, 2, 14, 34, 123, 389, 29, 3, 49, 47, 32, 13, 20, 1, 8, 6, 38, 10,
    30, 2, 36, 4, 8, 48, 158, 18, 36, 4, 36, 4, 40, 8, 52, 12, 11, 1, 15, 1, 7, 1, 2, 1, 11, 1, 15, 1, 7, 1, 2, 3,
    52, 12, 311, 9, 22, 10, 8, 24, 6, 1, 42, 1, 9, 69, 6, 2, 1, 1, 44, 1, 2, 3, 1, 2, 23, 10, 23, 9, 31, 65, 19, 1,
    2, 10, 22, 10, 26, 70, 56, 6, 2, 64, 1, 15, 4, 1, 3, 1, 29, 42, 29, 3, 29, 35, 8, 1, 28, 27, 54, 10, 22, 10, 19,
    13, 18, 110, 73, 55, 51, 13, 51, 13, 36, 38, 28, 9, 23, 250, 42, 6, 2, 16, 3, 59, 29, 10, 1, 8, 22, 42, 18, 46,
    21, 27, 23, 12, 53, 57, 2, 2, 1, 13, 45, 32, 25, 26, 36, 29, 1, 2, 1, 8, 35, 3, 1, 12, 48, 14, 4, 21, 1, 1, 1,
    35, 18, 1, 25, 19, 2, 63, 7, 1, 1, 1, 4, 1, 15, 1, 10, 7, 47, 38, 8, 2, 2, 2, 22, 1, 7, 1, 2, 1, 5, 3, 1, 18, 1,
    12, 5, 30, 10, 1, 1, 2, 1, 1, 38, 1, 1, 25, 1, 1, 1, 44, 53, 18, 4, 20, 3, 30, 48, 20, 2, 1, 1, 184, 47, 41, 4,
    36, 48, 20, 1, 59, 43, 13, 1, 71, 27, 37, 7, 185, 44, 116, 64, 31, 8, 2, 1, 2, 8, 1, 2, 1, 24, 15, 1, 1, 1, 94,
    8, 2, 39, 16, 1, 1, 1, 28, 1, 10, 40, 7, 1, 21, 1, 11, 46, 19, 1, 18, 73, 199, 33, 31, 9, 1, 37, 17, 1, 49, 30,
    112, 7, 1, 2, 1, 38, 21, 1, 25, 6, 1, 2, 1, 32, 14, 1, 327, 19, 15, 1, 1, 13, 1, 34, 124, 1, 79, 922, 230, 196,
    2636, 97, 15, 1072, 17, 6, 25, 3995, 5, 583, 6841, 30, 1762, 569, 7, 31, 17, 79, 17, 30, 18, 48, 16, 4, 31, 21,
    5, 19, 432, 45, 211, 64, 128, 75, 5, 1, 66, 13, 64, 2, 1, 1, 28, 6136, 8, 1238, 41, 10, 8935, 4, 1, 7, 1, 2, 1,
    291, 15, 1, 29, 3, 2, 1, 14, 4, 8, 396, 2308, 107, 5, 13, 3, 9, 7, 10, 5990, 85, 1, 71, 1, 2, 2, 1, 2, 2, 2, 4,
    1, 12, 1, 1, 1, 7, 1, 65, 1, 4, 2, 8, 1, 7, 1, 28, 1, 4, 1, 5, 1, 1, 3, 7, 1, 340, 2, 25, 1, 25, 1, 31, 1, 25,
    1, 31, 1, 25, 1, 31, 1, 25, 1, 31, 1, 25, 1, 8, 1844, 31, 6, 6, 261, 62, 146, 45, 10, 7, 16, 1, 321, 30, 18, 44,
    484, 28, 228, 30, 2, 1, 495, 7, 1, 4, 1, 2, 1, 15, 1, 197, 59, 68, 7, 1, 1204, 4, 1, 27, 1, 2, 1, 1, 2, 1, 1,
    10, 1, 4, 1, 1, 1, 1, 6, 1, 4, 1, 1, 1, 1, 1, 1, 3, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 2, 4,
    1, 7, 1, 4, 1, 4, 1, 1, 1, 10, 1, 17, 5, 3, 1, 5, 1, 17, 4420, 42720, 32, 4154, 6, 222, 2, 5762, 14, 7473, 15,
    622, 2466, 542, 1506, 4939, 5, 4192,
};
static const uint32_t number_runs[] = {
    48, 10, 120, 2, 5, 1, 2, 3, 1441, 10, 134, 10, 198, 10, 412, 10, 118, 10, 4, 6, 108, 10, 118, 10, 118, 10, 2, 6,
    110, 13, 115, 10, 8, 7, 103, 10, 104, 7, 7, 19, 109, 10, 96, 10, 118, 10, 70, 20, 268, 10, 70, 10, 719, 20, 881,
    3, 239, 10, 6, 10, 22, 10, 300, 10, 128, 11, 165, 10, 6, 10, 182, 10, 86, 10, 134, 10, 6, 10, 1046, 1, 3, 6, 6,
    10, 198, 51, 2, 5, 726, 60, 78, 22, 630, 30, 1385, 1, 777, 1, 25, 9, 14, 3, 343, 4, 138, 10, 30, 8, 1, 15, 32,
    10, 39, 15, 29536, 10, 188, 10, 320, 6, 154, 10, 38, 10, 198, 10, 22, 10, 86, 10, 406, 10, 21270, 10, 493, 45,
    12, 57, 17, 2, 341, 27, 36, 4, 29, 1, 8, 1, 134, 5, 202, 10, 942, 8, 25, 7, 39, 9, 75, 5, 22, 6, 160, 2, 2, 16,
    2, 46, 64, 9, 52, 2, 30, 3, 75, 5, 104, 8, 24, 8, 41, 7, 330, 6, 48, 10, 6, 10, 278, 31, 158, 10, 42, 4, 112, 7,
    134, 30, 128, 10, 60, 10, 144, 10, 7, 20, 251, 10, 342, 10, 118, 10, 374, 10, 102, 10, 6, 20, 76, 12, 420, 19,
    93, 10, 662, 10, 86, 29, 227, 10, 70, 10, 422, 10, 102, 21, 1067, 111, 15553, 10, 2342, 10, 86, 10, 134, 10, 1,
    7, 526, 10, 262, 23, 24153, 10, 1478, 20, 12, 20, 108, 25, 1109, 50, 2368, 10, 422, 10, 502, 10, 247, 10, 716,
    9, 128, 10, 791, 59, 1, 3, 1, 4, 76, 45, 1, 15, 962, 13, 2787, 10,
};
/* end generated */

static void fill_class(uint8_t *classes, const uint32_t *runs, size_t count, uint8_t class) {
    uint32_t at = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        at += runs[i];
        memset(classes + at, class, runs[i + 1]);
        at += runs[i + 1];
    }
}

/* One byte for each code point, as the regular expressions of `tokenizers` and `tiktoken` see them. */
static uint8_t *unicode_classes(void) {
    static const uint16_t spaces[] = {9,    10,     11,     12,     13,     32,     0x85,
                                      0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
    uint8_t *classes = room(CODE_POINTS + 1, 1);
    if (!classes) return NULL;
    fill_class(classes, letter_runs, sizeof letter_runs / sizeof *letter_runs, LETTER);
    fill_class(classes, number_runs, sizeof number_runs / sizeof *number_runs, NUMBER);
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) classes[spaces[i]] = SPACE;
    memset(classes + 0x2000, SPACE, 11);
    return classes;
}

/* Length of the UTF-8 character at text (at least 1) and its code point; a byte that starts none is one character
   of code point CODE_POINTS, whose class is OTHER. */
static int64_t next_char(const uint8_t *text, const uint8_t *end, uint32_t *point) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = *text;
    int64_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    *point = CODE_POINTS;
    if (!length || end - text < length) return 1;
    uint32_t value = length == 1 ? first : first & (0xffu >> (length + 1));
    for (int64_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2) return 1;
        value = value << 6 | (text[i] & 63);
    }
    if (value < least[length] || value >= CODE_POINTS || (value >= 0xd800 && value < 0xe000)) return 1;
    *point = value;
    return length;
}

/* ---- 10 Tokenizer ------------------------------------------------------------------------------------------- */

/* Both kinds work alike: text is cut into smallest symbols, then the best mergeable neighbours are merged until
   none are left. They differ in what the smallest symbols are and which merge is best:

       gpt2    bytes, within pieces that a regular expression cuts; the merge that was learnt first
       llama   characters, over the whole text (SentencePiece); the merged token with the highest score

   Control tokens (who speaks, where a document ends) are no text: text that spells one becomes its letters, unless
   the caller says that this text may command. */
typedef struct { int32_t *id; int64_t count, capacity; } Ids;

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
typedef enum { SPLIT_GPT2, SPLIT_LLAMA3 } Split;

typedef struct { uint64_t key; int32_t id, rank; } Merge;  /* key: left id, right id; rank from 1, 0: empty */

typedef struct Tokenizer {
    bool sentencepiece, adds_bos, adds_space;
    Split split;
    int32_t size, bos, eos, eot, pad, unknown;
    Bytes *text;                      /* what each token stands for, as bytes */
    uint8_t *kind, *pool, *classes;
    float *score;
    int32_t *word;                    /* hash of text -> id + 1, for tokens that plain text may become */
    uint64_t word_mask;
    Merge *merge;
    uint64_t merge_mask;
    int32_t byte_id[256];
    int32_t *special, specials;       /* ids of control and added tokens */
    Bytes template;
} Tokenizer;

static bool push_id(Ids *ids, int32_t id) {
    if (ids->count == ids->capacity) {
        int64_t capacity = 2 * ids->capacity + 64;
        int32_t *grown = realloc(ids->id, (size_t)capacity * sizeof *grown);
        if (!grown) return false;
        ids->id = grown;
        ids->capacity = capacity;
    }
    ids->id[ids->count++] = id;
    return true;
}

static uint64_t hash_bytes(Bytes text) {  /* FNV-1a, then stirred so that the low bits know of the high ones */
    uint64_t hash = 0xcbf29ce484222325;
    for (uint64_t i = 0; i < text.size; i++) hash = (hash ^ text.data[i]) * 0x100000001b3;
    return hash ^ hash >> 29;
}

static uint64_t hash_pair(uint64_t key) {
    key *= 0x9e3779b97f4a7c15;
    return key ^ key >> 32;
}

static uint64_t table_size(uint64_t count) {  /* a power of two, at most half full */
    uint64_t size = 16;
    while (size < 2 * count) size *= 2;
    return size;
}

/* The token that is exactly this text, or -1. */
static int32_t find_word(const Tokenizer *tok, Bytes text) {
    for (uint64_t i = hash_bytes(text);; i++) {
        int32_t id = tok->word[i & tok->word_mask] - 1;
        if (id < 0 || same(tok->text[id], text)) return id;
    }
}

static const Merge *find_merge(const Tokenizer *tok, int32_t left_id, int32_t right_id) {
    uint64_t key = (uint64_t)(uint32_t)left_id << 32 | (uint32_t)right_id;
    for (uint64_t i = hash_pair(key);; i++) {
        const Merge *merge = &tok->merge[i & tok->merge_mask];
        if (!merge->rank) return NULL;
        if (merge->key == key) return merge;
    }
}

/* GPT-2 writes bytes as visible characters: printable Latin-1 as itself, the n-th other byte as U+0100 + n. Turns
   such text back into bytes; anything outside that alphabet stays as it is. Returns how many bytes. */
static uint64_t from_visible(Bytes text, uint8_t *out) {
    const uint8_t *at = text.data, *end = text.data + text.size;
    uint64_t count = 0;
    while (at < end) {
        uint32_t point;
        int64_t length = next_char(at, end, &point);
        if (point >= 256 && point < 256 + 68) {
            uint32_t n = point - 256;
            out[count++] = (uint8_t)(n < 33 ? n : n < 67 ? 127 + n - 33 : 173);
        } else if (point < 256) {
            out[count++] = (uint8_t)point;
        } else {
            for (int64_t i = 0; i < length; i++) out[count++] = at[i];
        }
        at += length;
    }
    return count;
}

/* SentencePiece writes a space as U+2581. */
static uint64_t from_underlined(Bytes text, uint8_t *out) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < text.size;) {
        bool space = text.size - i >= 3 && !memcmp(text.data + i, "\xe2\x96\x81", 3);
        out[count++] = space ? ' ' : text.data[i];
        i += space ? 3 : 1;
    }
    return count;
}

static int hex_digit(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static bool is_plain(const Tokenizer *tok, int32_t id) { return tok->kind[id] == NORMAL; }

/* Token texts out of the file's visible forms into bytes of our own, and the hash that finds them. */
static bool read_words(Tokenizer *tok, const Key *tokens, Error *error) {
    Reader reader = {tokens->value.data, tokens->value.data + tokens->value.size};
    uint8_t *at = tok->pool = room(tokens->value.size + 1, 1);
    tok->text = room((uint64_t)tok->size, sizeof(Bytes));
    tok->special = room((uint64_t)tok->size, 4);
    uint64_t slots_wanted = table_size((uint64_t)tok->size);
    tok->word_mask = slots_wanted - 1;
    tok->word = room(slots_wanted, 4);
    if (!tok->pool || !tok->text || !tok->word || !tok->special) return no_memory(error, "the vocabulary");
    memset(tok->byte_id, -1, sizeof tok->byte_id);
    for (int32_t id = 0; id < tok->size; id++) {
        Bytes shown;
        if (!take_string(&reader, &shown)) return fail(error, "its list of tokens is altered; copy the file again");
        uint64_t size = shown.size;
        int high = size == 6 ? hex_digit(shown.data[3]) : -1, low = size == 6 ? hex_digit(shown.data[4]) : -1;
        if (tok->kind[id] == BYTE && high >= 0 && low >= 0 && !memcmp(shown.data, "<0x", 3)) {
            *at = (uint8_t)(high * 16 + low);
            tok->byte_id[*at] = id;
            size = 1;
        } else if (!is_plain(tok, id)) {
            if (size) memcpy(at, shown.data, size);
        } else {
            size = tok->sentencepiece ? from_underlined(shown, at) : from_visible(shown, at);
        }
        tok->text[id] = (Bytes){at, size};
        at += size;
        if (tok->kind[id] == CONTROL || tok->kind[id] == USER_DEFINED) tok->special[tok->specials++] = id;
        if (!is_plain(tok, id) || !size) continue;
        if (!tok->sentencepiece && size == 1 && tok->byte_id[tok->text[id].data[0]] < 0)
            tok->byte_id[tok->text[id].data[0]] = id;
        for (uint64_t i = hash_bytes(tok->text[id]);; i++) {
            int32_t *slot = &tok->word[i & tok->word_mask];
            if (*slot && same(tok->text[*slot - 1], tok->text[id])) break;  /* the first of equals */
            if (*slot) continue;
            *slot = id + 1;
            break;
        }
    }
    return true;
}

/* "left right" in visible characters, in the order they were learnt. */
static bool read_merges(Tokenizer *tok, const Gguf *gguf, Error *error) {
    const Key *merges = find_key(gguf, "tokenizer.ggml.merges");
    if (!merges || merges->type != ARRAY || merges->element != STRING || merges->count > 1 << 24)
        return fail(error, "its tokenizer has no merges; export the model again");
    uint64_t slots_wanted = table_size(merges->count);
    tok->merge_mask = slots_wanted - 1;
    tok->merge = room(slots_wanted, sizeof(Merge));
    uint8_t *both = room(merges->value.size + 1, 1);
    bool good = (tok->merge && both) || no_memory(error, "the vocabulary");
    Reader reader = {merges->value.data, merges->value.data + merges->value.size};
    for (uint64_t rank = 0; good && rank < merges->count; rank++) {
        Bytes shown;
        if (!take_string(&reader, &shown)) break;  /* cannot be: the header was checked */
        const uint8_t *gap = shown.size > 2 ? memchr(shown.data + 1, ' ', shown.size - 2) : NULL;
        Bytes first = {shown.data, gap ? (uint64_t)(gap - shown.data) : 0};
        Bytes second = {gap ? gap + 1 : NULL, gap ? shown.size - first.size - 1 : 0};
        uint64_t size = gap ? from_visible(first, both) : 0, rest = gap ? from_visible(second, both + size) : 0;
        int32_t a = find_word(tok, (Bytes){both, size}), b = find_word(tok, (Bytes){both + size, rest});
        int32_t id = find_word(tok, (Bytes){both, size + rest});
        if (!gap || a < 0 || b < 0 || id < 0) {
            good = fail(error, "its merge %" PRIu64 " `%.*s` names no token of its vocabulary; export it again", rank,
                        SHOWN(shown));
            break;
        }
        uint64_t key = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
        for (uint64_t i = hash_pair(key);; i++) {
            Merge *slot = &tok->merge[i & tok->merge_mask];
            if (slot->rank && slot->key == key) break;
            if (slot->rank) continue;
            *slot = (Merge){key, id, (int32_t)rank + 1};
            break;
        }
    }
    release(both);
    for (int byte = 0; good && byte < 256; byte++)
        if (tok->byte_id[byte] < 0)
            good = fail(error, "its vocabulary has no token for byte %d; export it again", byte);
    return good;
}

static bool read_split(Tokenizer *tok, const Gguf *gguf, Error *error) {
    Bytes name = read_string(gguf, "tokenizer.ggml.pre");
    const char *llama3[] = {"llama-bpe", "llama3", "llama-v3"}, *gpt2[] = {"gpt-2", "gpt2", "default"};
    for (int i = 0; i < 3; i++) {
        if (same(name, bytes_of(llama3[i]))) return tok->split = SPLIT_LLAMA3, true;
        if (same(name, bytes_of(gpt2[i])) || !name.size) return tok->split = SPLIT_GPT2, true;
    }
    return fail(error, "pre-tokenizer `%.*s` is not one this program knows (llama-bpe, gpt-2)", SHOWN(name));
}

static bool read_kinds(Tokenizer *tok, const Gguf *gguf, Error *error) {
    const Key *types = find_key(gguf, "tokenizer.ggml.token_type"), *scores = find_key(gguf, "tokenizer.ggml.scores");
    tok->kind = room((uint64_t)tok->size, 1);
    tok->score = room((uint64_t)tok->size, 4);
    if (!tok->kind || !tok->score) return no_memory(error, "the vocabulary");
    bool typed = types && types->type == ARRAY && (types->element == I32 || types->element == U32) &&
                 types->count == (uint64_t)tok->size;
    bool scored = scores && scores->type == ARRAY && scores->element == FLOAT32 &&
                  scores->count == (uint64_t)tok->size;
    if ((types && !typed) || (scores && !scored) || (tok->sentencepiece && !scored))
        return fail(error, "its token types or scores do not fit its tokens; export the model again");
    for (int32_t id = 0; id < tok->size; id++) {
        uint32_t type = NORMAL;
        if (typed) memcpy(&type, types->value.data + 4 * (uint64_t)id, 4);
        tok->kind[id] = (uint8_t)(type >= NORMAL && type <= BYTE ? type : UNUSED);
    }
    if (scored) memcpy(tok->score, scores->value.data, (uint64_t)tok->size * 4);
    return true;
}

static bool read_bool(const Gguf *gguf, const char *name, bool otherwise) {
    const Key *key = find_key(gguf, name);
    return key && key->type == BOOL ? key->value.data[0] != 0 : otherwise;
}

static bool read_named_ids(Tokenizer *tok, const Gguf *gguf, Error *error) {
    const struct { const char *name; int32_t *id; } named[] = {
        {"tokenizer.ggml.bos_token_id", &tok->bos}, {"tokenizer.ggml.eos_token_id", &tok->eos},
        {"tokenizer.ggml.eot_token_id", &tok->eot}, {"tokenizer.ggml.padding_token_id", &tok->pad},
        {"tokenizer.ggml.unknown_token_id", &tok->unknown},
    };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        int64_t id;
        if (!read_integer(gguf, named[i].name, -1, -1, tok->size - 1, &id, error)) return false;
        *named[i].id = (int32_t)id;
    }
    return true;
}

static void close_tokenizer(Tokenizer *tok) {
    void *all[] = {tok->text, tok->kind, tok->pool, tok->classes, tok->score, tok->word, tok->merge, tok->special};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) release(all[i]);
    memset(tok, 0, sizeof *tok);
}

static bool read_tokenizer(const Gguf *gguf, int64_t vocabulary, Tokenizer *tok, Error *error) {
    memset(tok, 0, sizeof *tok);
    Bytes model = read_string(gguf, "tokenizer.ggml.model");
    const Key *tokens = find_key(gguf, "tokenizer.ggml.tokens");
    tok->sentencepiece = same(model, LITERAL("llama"));
    if (!tok->sentencepiece && !same(model, LITERAL("gpt2")))
        return fail(error, "tokenizer `%.*s` is not one this program knows (gpt2, llama)", SHOWN(model));
    if (!tokens || tokens->type != ARRAY || tokens->element != STRING || tokens->count != (uint64_t)vocabulary)
        return fail(error, "its list of tokens does not fit its vocabulary of %" PRId64 "; export it again",
                    vocabulary);
    tok->size = (int32_t)vocabulary;
    tok->adds_bos = read_bool(gguf, "tokenizer.ggml.add_bos_token", tok->sentencepiece);
    tok->adds_space = read_bool(gguf, "tokenizer.ggml.add_space_prefix", tok->sentencepiece);
    tok->template = read_string(gguf, "tokenizer.chat_template");
    tok->classes = unicode_classes();
    if (!tok->classes) return no_memory(error, "the vocabulary");
    return read_named_ids(tok, gguf, error) && read_kinds(tok, gguf, error) && read_words(tok, tokens, error) &&
           (tok->sentencepiece || (read_split(tok, gguf, error) && read_merges(tok, gguf, error)));
}

/* 10a Where the regular expressions would cut, by hand. */

typedef struct { const uint8_t *at, *end; const uint8_t *classes; } Scan;

static int class_at(const Scan *scan, const uint8_t *at, uint32_t *point, int64_t *length) {
    *point = CODE_POINTS;
    *length = 0;
    if (at >= scan->end) return -1;
    *length = next_char(at, scan->end, point);
    return scan->classes[*point];
}

/* The end of a run of characters of this class, at most `most` of them. */
static const uint8_t *run_end(const Scan *scan, const uint8_t *at, int class, int64_t most) {
    uint32_t point;
    int64_t length;
    while (most-- > 0 && class_at(scan, at, &point, &length) == class) at += length;
    return at;
}

/* 's 't 're 've 'm 'll 'd after the apostrophe; folded, U+017F (long s) is an s too. Bytes, or 0. */
static int64_t contraction(const uint8_t *at, const uint8_t *end, bool fold) {
    static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (fold && end - at >= 2 && at[0] == 0xc5 && at[1] == 0xbf) return 2;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        int64_t size = (int64_t)strlen(endings[i]), same_so_far = 0;
        if (end - at < size) continue;
        while (same_so_far < size && (fold ? at[same_so_far] | 32 : at[same_so_far]) == endings[i][same_so_far])
            same_so_far++;
        if (same_so_far == size) return size;
    }
    return 0;
}

static bool is_newline(uint32_t point) { return point == '\r' || point == '\n'; }

/* \s+(?!\S) | \s+ : a run of spaces leaves its last one to the word that follows; for Llama-3 after
   \s*[\r\n]+, which takes the run up to its last line end. */
static const uint8_t *spaces_end(const Scan *scan, bool lines) {
    const uint8_t *at = scan->at, *last = scan->at, *line = NULL;
    uint32_t point;
    int64_t length;
    while (class_at(scan, at, &point, &length) == SPACE) {
        last = at;
        at += length;
        if (is_newline(point)) line = at;
    }
    if (lines && line) return line;
    return at < scan->end && last > scan->at ? last : at;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3} | " "?[^\s\p{L}\p{N}]+[\r\n]* |
   \s*[\r\n]+ | \s+(?!\S) | \s+ */
static const uint8_t *piece_end_llama3(const Scan *scan) {
    uint32_t point, ignored;
    int64_t length, next_length, short_form;
    int class = class_at(scan, scan->at, &point, &length);
    int next = class_at(scan, scan->at + length, &ignored, &next_length);
    if (point == '\'' && (short_form = contraction(scan->at + 1, scan->end, true))) return scan->at + 1 + short_form;
    if (class == LETTER) return run_end(scan, scan->at, LETTER, INT64_MAX);
    if (class != NUMBER && !is_newline(point) && next == LETTER)
        return run_end(scan, scan->at + length, LETTER, INT64_MAX);
    if (class == NUMBER) return run_end(scan, scan->at, NUMBER, 3);
    if (class == OTHER || (point == ' ' && next == OTHER)) {
        const uint8_t *at = run_end(scan, scan->at + (class == OTHER ? 0 : 1), OTHER, INT64_MAX);
        while (at < scan->end && is_newline(*at)) at++;
        return at;
    }
    return spaces_end(scan, true);
}

/* 's|'t|'re|'ve|'m|'ll|'d | " "?\p{L}+ | " "?\p{N}+ | " "?[^\s\p{L}\p{N}]+ | \s+(?!\S) | \s+ */
static const uint8_t *piece_end_gpt2(const Scan *scan) {
    uint32_t point, ignored;
    int64_t length, next_length, short_form;
    int class = class_at(scan, scan->at, &point, &length);
    int next = class_at(scan, scan->at + length, &ignored, &next_length);
    if (point == '\'' && (short_form = contraction(scan->at + 1, scan->end, false))) return scan->at + 1 + short_form;
    if (class != SPACE) return run_end(scan, scan->at, class, INT64_MAX);
    if (point == ' ' && next >= 0 && next != SPACE) return run_end(scan, scan->at + 1, next, INT64_MAX);
    return spaces_end(scan, false);
}

/* 10b Merging: symbols in a list, candidates in a heap with the best on top. n log n, whatever the text. */

typedef struct { int64_t before, after; const uint8_t *text; uint64_t size; int32_t id; } Symbol;

typedef struct { double better; int64_t left; uint64_t size; int32_t id; } Candidate;

typedef struct {
    const Tokenizer *tok;
    Symbol *symbol;
    int64_t symbols, symbol_room, candidates, candidate_room;
    Candidate *candidate;
} Merging;

static bool is_better(const Candidate *a, const Candidate *b) {
    return a->better > b->better || (a->better == b->better && a->left < b->left);
}

static bool push_candidate(Merging *merging, Candidate added) {
    if (merging->candidates == merging->candidate_room) {
        int64_t wanted = 2 * merging->candidate_room + 64;
        Candidate *grown = realloc(merging->candidate, (size_t)wanted * sizeof *grown);
        if (!grown) return false;
        merging->candidate = grown;
        merging->candidate_room = wanted;
    }
    int64_t i = merging->candidates++;
    Candidate *heap = merging->candidate;
    for (; i > 0 && is_better(&added, &heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = added;
    return true;
}

static Candidate pop_candidate(Merging *merging) {
    Candidate *heap = merging->candidate, top = heap[0], last = heap[--merging->candidates];
    int64_t i = 0, count = merging->candidates;
    for (int64_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && is_better(&heap[child + 1], &heap[child])) child++;
        if (!is_better(&heap[child], &last)) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* If symbol `left` and the one after it can merge, remember that. */
static bool consider(Merging *merging, int64_t left) {
    const Tokenizer *tok = merging->tok;
    if (left < 0 || merging->symbol[left].after < 0) return true;
    const Symbol *a = &merging->symbol[left], *b = &merging->symbol[a->after];
    uint64_t size = a->size + b->size;
    if (tok->sentencepiece) {
        int32_t id = find_word(tok, (Bytes){a->text, size});
        return id < 0 || push_candidate(merging, (Candidate){tok->score[id], left, size, id});
    }
    const Merge *merge = find_merge(tok, a->id, b->id);
    return !merge || push_candidate(merging, (Candidate){-(double)merge->rank, left, size, merge->id});
}

static bool add_symbol(Merging *merging, const uint8_t *text, uint64_t size, int32_t id) {
    if (merging->symbols == merging->symbol_room) {
        int64_t wanted = 2 * merging->symbol_room + 64;
        Symbol *grown = realloc(merging->symbol, (size_t)wanted * sizeof *grown);
        if (!grown) return false;
        merging->symbol = grown;
        merging->symbol_room = wanted;
    }
    int64_t i = merging->symbols++;
    if (i) merging->symbol[i - 1].after = i;
    merging->symbol[i] = (Symbol){i - 1, -1, text, size, id};
    return true;
}

static bool merge_all(Merging *merging) {
    merging->candidates = 0;
    for (int64_t i = 0; i + 1 < merging->symbols; i++) if (!consider(merging, i)) return false;
    while (merging->candidates) {
        Candidate best = pop_candidate(merging);
        Symbol *a = &merging->symbol[best.left];
        if (!a->size || a->after < 0) continue;             /* has been merged away */
        Symbol *b = &merging->symbol[a->after];
        if (a->size + b->size != best.size) continue;       /* one of the two has grown since */
        a->size = best.size;
        a->id = best.id;
        b->size = 0;
        a->after = b->after;
        if (b->after >= 0) merging->symbol[b->after].before = best.left;
        if (!consider(merging, a->before) || !consider(merging, best.left)) return false;
    }
    return true;
}

/* The ids of what is left; a SentencePiece symbol that is no token becomes its bytes. */
static bool take_symbols(Merging *merging, Ids *ids) {
    const Tokenizer *tok = merging->tok;
    for (int64_t i = merging->symbols ? 0 : -1; i >= 0; i = merging->symbol[i].after) {
        const Symbol *symbol = &merging->symbol[i];
        if (symbol->id >= 0 && !push_id(ids, symbol->id)) return false;
        for (uint64_t j = 0; symbol->id < 0 && j < symbol->size; j++) {
            int32_t id = tok->byte_id[symbol->text[j]];
            id = id >= 0 ? id : tok->unknown;
            if (id >= 0 && !push_id(ids, id)) return false;
        }
    }
    return true;
}

static const uint8_t *piece_end(const Tokenizer *tok, const Scan *scan) {
    return tok->split == SPLIT_LLAMA3 ? piece_end_llama3(scan) : piece_end_gpt2(scan);
}

static bool encode_gpt2(Merging *merging, Bytes text, Ids *ids) {
    const Tokenizer *tok = merging->tok;
    Scan scan = {text.data, text.data + text.size, tok->classes};
    while (scan.at < scan.end) {
        const uint8_t *end = piece_end(tok, &scan);
        Bytes piece = {scan.at, (uint64_t)(end - scan.at)};
        int32_t whole = tok->split == SPLIT_LLAMA3 ? find_word(tok, piece) : -1;  /* Llama-3 asks for that first */
        merging->symbols = 0;
        if (whole >= 0) {
            if (!add_symbol(merging, piece.data, piece.size, whole)) return false;
        } else {
            for (const uint8_t *at = scan.at; at < end; at++)
                if (!add_symbol(merging, at, 1, tok->byte_id[*at])) return false;
            if (!merge_all(merging)) return false;
        }
        if (!take_symbols(merging, ids)) return false;
        scan.at = end;
    }
    return true;
}

/* first: at the beginning of a text, or after a control token, where a space is put before the first word. */
static bool encode_sentencepiece(Merging *merging, Bytes text, bool first, Ids *ids) {
    const Tokenizer *tok = merging->tok;
    uint8_t *spaced = malloc(text.size + 2);
    if (!spaced) return false;
    uint64_t size = 0;
    if (first && tok->adds_space && text.size) spaced[size++] = ' ';
    size += from_underlined(text, spaced + size);
    merging->symbols = 0;
    bool good = true;
    for (uint64_t i = 0; good && i < size;) {
        uint32_t point;
        uint64_t length = (uint64_t)next_char(spaced + i, spaced + size, &point);
        good = add_symbol(merging, spaced + i, length, find_word(tok, (Bytes){spaced + i, length}));
        i += length;
    }
    good = good && merge_all(merging) && take_symbols(merging, ids);
    free(spaced);
    return good;
}

/* The control token that begins here, the longest if several do, or -1. */
static int32_t special_at(const Tokenizer *tok, Bytes text) {
    int32_t found = -1;
    for (int32_t i = 0; i < tok->specials; i++) {
        Bytes name = tok->text[tok->special[i]];
        if (!name.size || name.size > text.size || memcmp(name.data, text.data, name.size)) continue;
        if (found < 0 || name.size > tok->text[found].size) found = tok->special[i];
    }
    return found;
}

static bool encode_plain(Merging *merging, Bytes text, bool first, Ids *ids) {
    return merging->tok->sentencepiece ? encode_sentencepiece(merging, text, first, ids)
                                       : encode_gpt2(merging, text, ids);
}

/* Append the ids of a text. commands: text that spells a control token becomes it. */
static bool encode(const Tokenizer *tok, Bytes text, bool commands, Ids *ids, Error *error) {
    Merging merging = {.tok = tok};
    uint64_t start = 0, at = 0;
    bool good = true, first = true;
    while (good && commands && at < text.size) {
        Bytes rest = {text.data + at, text.size - at};
        int32_t id = special_at(tok, rest);
        if (id < 0) {
            at++;
            continue;
        }
        good = encode_plain(&merging, (Bytes){text.data + start, at - start}, first, ids) && push_id(ids, id);
        start = at += tok->text[id].size;
        first = true;
    }
    good = good && encode_plain(&merging, (Bytes){text.data + start, text.size - start}, first, ids);
    free(merging.symbol);
    free(merging.candidate);
    return good || no_memory(error, "so long a text");
}

/* The bytes a token stands for; none for control tokens. */
static Bytes token_text(const Tokenizer *tok, int32_t id) {
    if (id < 0 || id >= tok->size || tok->kind[id] == CONTROL || tok->kind[id] == UNUSED) return (Bytes){NULL, 0};
    return tok->text[id];
}

/* The control token of this name, or -1. */
static int32_t find_special(const Tokenizer *tok, const char *name) {
    for (int32_t i = 0; i < tok->specials; i++)
        if (same(tok->text[tok->special[i]], bytes_of(name))) return tok->special[i];
    return -1;
}

/* ---- 11 Sampler --------------------------------------------------------------------------------------------- */

/* From scores to one token by the very steps of nextword/engine/sampler.py, in doubles; both are held to the same
   file of cases: repeat penalty; temperature 0 takes the best; top-k; top-p; min-p; temperature; draw by id. */
enum { REPEAT_WINDOW = 64 };

typedef struct {
    double temperature, top_p, min_p, repeat_penalty;
    int64_t top_k;
} Sampling;

typedef struct { double score; int32_t id; } Choice;

static bool ranks_before(const Choice *a, const Choice *b) {
    return a->score > b->score || (a->score == b->score && a->id < b->id);
}

static void sink(Choice *heap, int64_t count, int64_t i) {
    Choice moved = heap[i];
    for (int64_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && ranks_before(&heap[child + 1], &heap[child])) child++;
        if (!ranks_before(&heap[child], &moved)) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

static int by_id(const void *a, const void *b) {
    int32_t first = ((const Choice *)a)->id, second = ((const Choice *)b)->id;
    return (first > second) - (first < second);
}

static void penalise(Choice *choices, int64_t count, double penalty, const int32_t *seen, int64_t seen_count) {
    int64_t start = larger(0, seen_count - REPEAT_WINDOW);
    for (int64_t i = start; i < seen_count; i++) {
        bool again = false;
        for (int64_t j = start; j < i; j++) again = again || seen[j] == seen[i];
        if (again || seen[i] < 0 || seen[i] >= count) continue;
        double *score = &choices[seen[i]].score;
        *score = *score > 0 ? *score / penalty : *score * penalty;
    }
}

/* Move the choices that top-k and top-p keep, best first, to the end of the array (a heap sort that stops early);
   returns how many. */
static int64_t keep_best(Choice *choices, int64_t count, const Sampling *how) {
    int64_t most = how->top_k > 0 && how->top_k < count ? how->top_k : count, kept = 0, live = count;
    if (most == count && how->top_p >= 1) return count;
    for (int64_t i = count / 2 - 1; i >= 0; i--) sink(choices, count, i);
    double best = choices[0].score, total = 0, reached = 0;
    for (int64_t i = 0; most == count && i < count; i++) total += exp(choices[i].score - best);
    while (kept < most && !(most == count && reached >= how->top_p * total && kept)) {
        Choice top = choices[0];
        choices[0] = choices[--live];
        sink(choices, live, 0);
        choices[live] = top;
        reached += exp(top.score - best);
        kept++;
    }
    if (most == count || how->top_p >= 1) return kept;
    total = reached;
    reached = 0;
    for (int64_t i = 0; i < kept; i++) {
        reached += exp(choices[count - 1 - i].score - best);
        if (reached >= how->top_p * total) return i + 1;
    }
    return kept;
}

/* The next token, or -1 when the scores are not numbers. choices: room for count. coin in [0, 1). */
static int32_t choose(const float *logits, int64_t count, const Sampling *how, const int32_t *seen,
                      int64_t seen_count, double coin, Choice *choices) {
    double best = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        choices[i] = (Choice){logits[i], (int32_t)i};
        if (isnan(logits[i])) return -1;
    }
    if (how->repeat_penalty != 1) penalise(choices, count, how->repeat_penalty, seen, seen_count);
    int32_t greedy = 0;
    for (int64_t i = 0; i < count; i++)
        if (choices[i].score > best) best = choices[i].score, greedy = (int32_t)i;
    if (!isfinite(best)) return -1;
    if (how->temperature == 0) return greedy;
    int64_t kept = keep_best(choices, count, how);
    Choice *survivors = choices + (count - kept);
    if (how->min_p > 0) {
        double floor = best + log(how->min_p);
        int64_t left_over = 0;
        for (int64_t i = 0; i < kept; i++)
            if (survivors[i].score >= floor) survivors[left_over++] = survivors[i];
        kept = left_over;
    }
    if (how->top_k || how->top_p < 1) qsort(survivors, (size_t)kept, sizeof *survivors, by_id);
    double total = 0, reached = 0;
    for (int64_t i = 0; i < kept; i++) total += exp((survivors[i].score - best) / how->temperature);
    for (int64_t i = 0; i < kept; i++) {
        reached += exp((survivors[i].score - best) / how->temperature);
        if (reached > coin * total) return survivors[i].id;
    }
    return survivors[kept - 1].id;
}

static uint64_t stir(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* A number in [0, 1) for the n-th new token: SplitMix64 (Steele, Lea & Flood 2014), 53 bits of it. */
static double coin_of(uint64_t seed, uint64_t n) {
    return (double)(stir(stir(seed) + (n + 1) * 0x9e3779b97f4a7c15) >> 11) * 0x1p-53;
}

/* ---- 12 Chat ------------------------------------------------------------------------------------------------ */

/* A GGUF carries its chat template as a Jinja program. We do not run programs from files; we know four families by
   their marks, and say so when it is another. What a person types is always plain text: it cannot spell a command. */
typedef enum { CHAT_OURS, CHAT_LLAMA2, CHAT_LLAMA3, CHAT_CHATML } Family;

typedef struct {
    Family family;
    int32_t open, close, end;  /* control tokens of this family: header or turn marks, and where an answer ends */
} Chat;

static bool contains(Bytes text, const char *part) {
    return text.size && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static bool read_chat(const Tokenizer *tok, Chat *chat, Error *error) {
    const struct { Family family; const char *mark, *also, *open, *close, *end; } families[] = {
        {CHAT_LLAMA3, "<|start_header_id|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
        {CHAT_CHATML, "<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>", "<|im_end|>"},
        {CHAT_OURS, "<|end|>", "<|assistant|>", "<|user|>", "<|assistant|>", "<|end|>"},
        {CHAT_LLAMA2, "[INST]", "<<SYS>>", NULL, NULL, NULL},
    };
    if (!tok->template.size)
        return fail(error, "it has no chat template: a base model, or exported without; use -p instead of --chat");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (!contains(tok->template, families[i].mark) || !contains(tok->template, families[i].also)) continue;
        *chat = (Chat){families[i].family, -1, -1, tok->eos};
        if (!families[i].open) return true;
        chat->open = find_special(tok, families[i].open);
        chat->close = find_special(tok, families[i].close);
        chat->end = find_special(tok, families[i].end);
        if (chat->open >= 0 && chat->close >= 0 && chat->end >= 0) return true;
        return fail(error, "its chat template uses control tokens that its vocabulary lacks; export it again");
    }
    return fail(error, "its chat template is none of the families we know (ours, Llama-2, Llama-3, ChatML); use -p");
}

/* Append plain text, made by format, between two control tokens; -1 is none. */
__attribute__((format(printf, 6, 7))) static bool say(const Tokenizer *tok, Ids *ids, Error *error, int32_t before,
                                                      int32_t after, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0) return no_memory(error, "so long a text");
    bool good = (before < 0 || push_id(ids, before)) || no_memory(error, "so long a text");
    good = good && encode(tok, (Bytes){(uint8_t *)text, (uint64_t)size}, false, ids, error);
    good = good && ((after < 0 || push_id(ids, after)) || no_memory(error, "so long a text"));
    free(text);
    return good;
}

/* Append a person's turn and the beginning of the answer; the first turn opens the conversation and carries the
   system's words, if any. The turns before it, closed by `end`, are in ids (and in the pages) already. */
static bool add_turn(const Tokenizer *tok, const Chat *chat, const char *system, const char *words, bool first,
                     Ids *ids, Error *error) {
    bool instructed = first && system;
    if ((first || chat->family == CHAT_LLAMA2) && tok->bos >= 0 && chat->family != CHAT_CHATML &&
        !push_id(ids, tok->bos)) return no_memory(error, "so long a text");
    switch (chat->family) {
        case CHAT_OURS:
            return (!instructed || say(tok, ids, error, find_special(tok, "<|system|>"), chat->end, "%s", system)) &&
                   say(tok, ids, error, chat->open, chat->end, "%s", words) &&
                   say(tok, ids, error, chat->close, -1, "%s", "");
        case CHAT_LLAMA2:
            if (!instructed) return say(tok, ids, error, -1, -1, "[INST] %s [/INST]", words);
            return say(tok, ids, error, -1, -1, "[INST] <<SYS>>\n%s\n<</SYS>>\n\n%s [/INST]", system, words);
        case CHAT_LLAMA3:
            return (!instructed || (say(tok, ids, error, chat->open, chat->close, "system") &&
                                    say(tok, ids, error, -1, chat->end, "\n\n%s", system))) &&
                   say(tok, ids, error, chat->open, chat->close, "user") &&
                   say(tok, ids, error, -1, chat->end, "\n\n%s", words) &&
                   say(tok, ids, error, chat->open, chat->close, "assistant") && say(tok, ids, error, -1, -1, "\n\n");
        default:
            return (first || say(tok, ids, error, -1, -1, "\n")) &&
                   (!instructed || (say(tok, ids, error, chat->open, chat->end, "system\n%s", system) &&
                                    say(tok, ids, error, -1, -1, "\n"))) &&
                   say(tok, ids, error, chat->open, chat->end, "user\n%s", words) &&
                   say(tok, ids, error, -1, -1, "\n") && say(tok, ids, error, chat->open, -1, "assistant\n");
    }
}

/* ---- 13 Library --------------------------------------------------------------------------------------------- */

/* What Python calls, and the program below too. Errors come back as text; nothing here prints or exits. A handle is
   for one thread at a time. */
typedef struct {
    int32_t vocab_size, context_length, embedding_length, block_count, head_count, head_count_kv, head_length;
    int32_t bos, eos, eot, pad, add_bos;
    int64_t page_bytes, file_bytes;
} Information;

#ifdef NEXTWORD_LIBRARY
#define PUBLIC __attribute__((visibility("default")))
#else
#define PUBLIC static
#endif

PUBLIC void nw_close(Engine *e) {
    if (!e) return;
    Bytes file = e->file;
    if (e->tokenizer) close_tokenizer(e->tokenizer);
    free(e->tokenizer);
    close_engine(e);
    if (file.size) munmap((void *)(uintptr_t)file.data, file.size);
    free(e);
}

/* Everything an engine is made of, over a file already in memory. */
static bool build_engine(Engine *e, Bytes file, int64_t pages, int64_t page_size, int threads, bool half,
                         Error *error) {
    threads = threads > 0 ? (int)smaller(threads, 256) : usable_cores();
    if (pages < 1 || page_size < 1 || pages > INT32_MAX || page_size > 1 << 20)
        return fail(error, "%" PRId64 " pages of %" PRId64 " positions; both must be at least 1", pages, page_size);
    e->kernels = choose_kernels(error);
    e->tokenizer = calloc(1, sizeof(Tokenizer));
    if (!e->kernels) return false;
    if (!e->tokenizer) return no_memory(error, "the vocabulary");
    return read_model(file, &e->model, error) &&
           read_tokenizer(&e->model.gguf, e->model.shape.V, e->tokenizer, error) &&
           open_pool(&e->pool, &e->model.shape, pages, page_size, half, error) &&
           open_desks(e, threads, error) && open_team(&e->team, threads, error);
}

/* Open a GGUF with a pool of so many pages of so many positions. threads 0: one for each core. NULL on failure,
   with the reason in error (size bytes, NUL-terminated). */
PUBLIC Engine *nw_open(const char *path, int64_t pages, int64_t page_size, int32_t threads, int32_t half,
                       char *error, size_t size) {
    Error reason = {""};
    Engine *e = calloc(1, sizeof *e);
    bool good = e ? map_file(path, &e->file, &reason) : no_memory(&reason, "anything");
    good = good && build_engine(e, e->file, pages, page_size, threads, half != 0, &reason);
    if (good) return e;
    snprintf(error, size, "%s", reason.text);
    nw_close(e);
    return NULL;
}

#ifdef NEXTWORD_LIBRARY
PUBLIC void nw_information(const Engine *e, Information *out) {
    const Shape *s = &e->model.shape;
    const Tokenizer *tok = e->tokenizer;
    *out = (Information){(int32_t)s->V, (int32_t)s->context, (int32_t)s->C, (int32_t)s->layers, (int32_t)s->H,
                         (int32_t)s->K, (int32_t)s->D, tok->bos, tok->eos, tok->eot, tok->pad, tok->adds_bos,
                         (int64_t)e->pool.page_bytes, (int64_t)e->file.size};
}

/* Run count tokens (see Batch); logits gets a row of V for each wanted one. 0, or -1 with the reason in error. */
PUBLIC int32_t nw_decode(Engine *e, const int32_t *tokens, const int32_t *positions, const int32_t *sequences,
                         int64_t count, const int32_t *tables, int64_t rows, int64_t width, const uint8_t *wanted,
                         float *logits, char *error, size_t size) {
    Error reason = {""};
    Batch batch = {tokens, positions, sequences, tables, wanted, count, width, logits};
    if (decode(e, &batch, rows, &reason)) return 0;
    snprintf(error, size, "%s", reason.text);
    return -1;
}

/* The ids of a text (no BOS added). How many there are, of which the first `room` are written; -1 without memory. */
PUBLIC int64_t nw_tokenize(const Engine *e, const uint8_t *text, int64_t size, int32_t commands, int32_t *out,
                           int64_t capacity) {
    Ids ids = {0};
    Error reason;
    bool good = encode(e->tokenizer, (Bytes){text, (uint64_t)size}, commands != 0, &ids, &reason);
    if (good && ids.count) memcpy(out, ids.id, (size_t)smaller(ids.count, capacity) * sizeof *out);
    int64_t count = good ? ids.count : -1;
    free(ids.id);
    return count;
}

static int64_t copy_out(Bytes text, uint8_t *out, int64_t capacity) {
    if (text.size && capacity > 0) memcpy(out, text.data, (size_t)smaller((int64_t)text.size, capacity));
    return (int64_t)text.size;
}

/* The bytes a token stands for (none for control tokens). How many there are. */
PUBLIC int64_t nw_token_bytes(const Engine *e, int32_t id, uint8_t *out, int64_t capacity) {
    return copy_out(token_text(e->tokenizer, id), out, capacity);
}

/* A string of the file's metadata; -1 when there is none of this name. */
PUBLIC int64_t nw_string(const Engine *e, const char *key, uint8_t *out, int64_t capacity) {
    Bytes text = read_string(&e->model.gguf, key);
    return text.data ? copy_out(text, out, capacity) : -1;
}

/* The id of a control token by its name, or -1. */
PUBLIC int32_t nw_special(const Engine *e, const char *name) { return find_special(e->tokenizer, name); }

PUBLIC const char *nw_kernels(const Engine *e) { return e->kernels->name; }

static uint8_t *page_at(const Engine *e, int64_t page) {
    return page < 0 || page >= e->pool.pages ? NULL : e->pool.memory + (uint64_t)page * e->pool.page_bytes;
}

/* Keys and values of whole pages: 0, or -1 when there is no such page. Buffers hold page_bytes. */
PUBLIC int32_t nw_copy_page(Engine *e, int64_t from, int64_t to) {
    if (!page_at(e, from) || !page_at(e, to)) return -1;
    if (from != to) memcpy(page_at(e, to), page_at(e, from), e->pool.page_bytes);
    return 0;
}

PUBLIC int32_t nw_read_page(const Engine *e, int64_t page, uint8_t *out) {
    if (!page_at(e, page)) return -1;
    memcpy(out, page_at(e, page), e->pool.page_bytes);
    return 0;
}

PUBLIC int32_t nw_write_page(Engine *e, int64_t page, const uint8_t *in) {
    if (!page_at(e, page)) return -1;
    memcpy(page_at(e, page), in, e->pool.page_bytes);
    return 0;
}

/* For tests: where the pre-tokenizer cuts (offsets of the ends, how many); one row of any format as floats; y = W x
   by the kernels of NEXTWORD_KERNELS; the sampler; its coin. */
PUBLIC int64_t nw_pieces(const Engine *e, const uint8_t *text, int64_t size, int64_t *ends, int64_t capacity) {
    Scan scan = {text, text + size, e->tokenizer->classes};
    int64_t count = 0;
    for (; scan.at < scan.end; count++) {
        scan.at = piece_end(e->tokenizer, &scan);
        if (count < capacity) ends[count] = scan.at - text;
    }
    return count;
}

PUBLIC void nw_unpack(int32_t type, const uint8_t *row, int64_t cols, float *out) {
    unpack_floats(type, row, cols, out);
}

PUBLIC int32_t nw_multiply(int32_t type, const uint8_t *weights, int64_t rows, int64_t cols, const float *x,
                           int64_t tokens, float *out) {
    Error ignored;
    Engine e = {.kernels = choose_kernels(&ignored), .team.threads = 1};
    Desk desk = {0};
    Vectors vectors = {0};
    if (!e.kernels || tokens > PASS || !open_vectors(&vectors, cols) || !open_desk(&desk, cols)) return -1;
    Matrix w = {type, rows, cols, (uint64_t)(cols / formats[type].block * formats[type].bytes), weights};
    memcpy(vectors.f, x, (size_t)(tokens * cols) * sizeof *x);
    for (int64_t t = 0; t < tokens && is_integer_type(type); t++) e.kernels->quantise(&vectors, t);
    e.desk = &desk;
    multiply(&e, 0, &vectors, tokens, &(Product){&w, NULL, out, STORE}, 1);
    close_desk(&desk);
    close_vectors(&vectors);
    return 0;
}

PUBLIC int32_t nw_choose(const float *logits, int64_t count, double temperature, int64_t top_k, double top_p,
                         double min_p, double repeat_penalty, const int32_t *seen, int64_t seen_count, double coin) {
    Choice *choices = malloc((size_t)count * sizeof *choices);
    Sampling how = {temperature, top_p, min_p, repeat_penalty, top_k};
    int32_t id = choices ? choose(logits, count, &how, seen, seen_count, coin, choices) : -1;
    free(choices);
    return id;
}

/* The ids of a turn of a chat as the program would append them (system may be NULL). How many; -1 with the reason. */
PUBLIC int64_t nw_turn(const Engine *e, const char *system, const char *words, int32_t first, int32_t *out,
                       int64_t capacity, char *error, size_t size) {
    Error reason = {""};
    Ids ids = {0};
    Chat chat;
    bool good = read_chat(e->tokenizer, &chat, &reason) &&
                add_turn(e->tokenizer, &chat, system, words, first != 0, &ids, &reason);
    if (good && ids.count) memcpy(out, ids.id, (size_t)smaller(ids.count, capacity) * sizeof *out);
    if (!good) snprintf(error, size, "%s", reason.text);
    int64_t count = good ? ids.count : -1;
    free(ids.id);
    return count;
}

PUBLIC double nw_coin(uint64_t seed, uint64_t n) { return coin_of(seed, n); }

#else /* !NEXTWORD_LIBRARY */

/* ---- 14 Checksum -------------------------------------------------------------------------------------------- */

/* A bit that flips in the weights changes what a model says and nothing else, so nobody would notice. `nextword
   release` therefore writes down the SHA-256 of all that follows the tensor table, and --verify reads the file once
   to compare. It finds accidents (a bad disk, a copy that went wrong), not enemies: who can change the weights can
   change the sum beside them; for that, compare the whole file's SHA-256 with one from somewhere else. */

static uint32_t turn(uint32_t word, int by) { return word >> by | word << (32 - by); }

/* Stir 64 bytes into the state (FIPS 180-4, section 6.2.2, and its letters). */
static void stir_block(uint32_t state[8], const uint8_t *block) {
    static const uint32_t K[64] = {  /* the fractions of the cube roots of the first 64 primes */
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    };
    uint32_t W[64];
    for (int i = 0; i < 64; i++) {
        if (i < 16) {
            const uint8_t *at = block + 4 * i;
            W[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        } else {
            uint32_t x = W[i - 15], y = W[i - 2];
            W[i] = W[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ x >> 3) + W[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ y >> 10);
        }
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i];
        uint32_t second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + first;
        d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

enum { PIECE = 1 << 20 };

/* The SHA-256 of an open file from here to its end, as 64 hex digits. It is read, not mapped, so that a disk that
   fails says so. `total` is how many bytes to expect: a terminal sees how far we are. */
static bool sum_file(int descriptor, uint64_t total, char hex[65], Error *error) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t *piece = room(PIECE + 128, 1);
    uint64_t done = 0, held = 0;
    bool terminal = isatty(2);
    if (!piece) return no_memory(error, "reading");
    for (ssize_t got; (got = read(descriptor, piece + held, PIECE - held)) != 0;) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            release(piece);
            return fail(error, "cannot be read %" PRIu64 " bytes into its weights (%s)", done, strerror(errno));
        }
        held += (uint64_t)got;
        done += (uint64_t)got;
        if (held < PIECE) continue;
        for (uint64_t at = 0; at < PIECE; at += 64) stir_block(state, piece + at);
        held = 0;
        if (terminal) fprintf(stderr, "\r%3.0f %%", 100 * (double)done / (double)total);
    }
    if (terminal) fputs("\r     \r", stderr);
    uint64_t size = (held + 9 + 63) / 64 * 64;  /* the rest, a one bit, zeros, and how many bits there were */
    memset(piece + held, 0, size - held);
    piece[held] = 0x80;
    for (int i = 0; i < 8; i++) piece[size - 1 - (uint64_t)i] = (uint8_t)(done * 8 >> 8 * i);
    for (uint64_t at = 0; at < size; at += 64) stir_block(state, piece + at);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08" PRIx32, state[i]);
    release(piece);
    return true;
}

/* Compare a file's weights with the sum that it carries; false with the reason. */
static bool verify_file(const char *path, char hex[65], Error *error) {
    Bytes file = {NULL, 0};
    Gguf gguf;
    if (!map_file(path, &file, error)) return false;
    bool good = parse_gguf(file, &gguf, error);
    if (good) {
        Bytes expected = read_string(&gguf, "nextword.data_sha256");
        int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (!expected.size)
            good = fail(error, "it carries no checksum (nextword.data_sha256), so nothing can be compared; files made "
                        "by `nextword release` have one");
        else if (descriptor < 0 || lseek(descriptor, gguf.data.data - file.data, SEEK_SET) < 0)
            good = fail(error, "cannot be opened (%s); check the path", strerror(errno));
        good = good && sum_file(descriptor, gguf.data.size, hex, error);
        if (good && !same(bytes_of(hex), expected))
            good = fail(error, "its weights are not those that were written; copy it again");
        if (descriptor >= 0) close(descriptor);
        close_gguf(&gguf);
    }
    munmap((void *)(uintptr_t)file.data, file.size);
    return good;
}

/* ---- 15 Program --------------------------------------------------------------------------------------------- */

static const char help[] =
    "run: a language model, from a GGUF file, on this machine\n"
    "\n"
    "  ./run FILE -p PROMPT       continue a text\n"
    "  ./run FILE --chat          talk (one line each; Ctrl-D ends)\n"
    "  ./run FILE --perplexity F  how well the model predicts a text file\n"
    "  ./run FILE --bench         tokens per second\n"
    "  ./run FILE --verify        read all of it: are the weights those that were written?\n"
    "\n"
    "  -n N               at most N new tokens (128; with --chat 512)\n"
    "  -t X               temperature (0.8); 0 always takes the likeliest token\n"
    "  -k N               keep the N likeliest tokens (40); 0 keeps all\n"
    "  --top-p X          keep the likeliest that together reach X (0.95); 1 keeps all\n"
    "  --min-p X          drop tokens less likely than X times the likeliest (0)\n"
    "  --repeat-penalty X divide the scores of the last 64 tokens (1: off)\n"
    "  --seed N           the same seed gives the same text (the clock's)\n"
    "  --system TEXT      what the model is told before a chat\n"
    "  --special          control tokens spelt in PROMPT count as such\n"
    "  --context N        positions to have room for (the model's, at most 8192)\n"
    "  --kv f32|f16       how keys and values are kept (f32; f16 halves their memory)\n"
    "  --threads N        (one for each core)\n"
    "  --help\n"
    "\n"
    "NEXTWORD_KERNELS=scalar|avx2|avx512|neon forces a set of kernels.\n";

typedef struct {
    const char *file, *prompt, *perplexity, *system;
    bool chat, bench, verify, special, half;
    int64_t tokens, context, threads;
    uint64_t seed;
    Sampling how;
} Options;

/* Print a text from a file, a model or the command line as a terminal may see it. Controls (C0, DEL, C1) could move
   the cursor, rename the window or worse; marks that turn the direction of text could hide what a line says; bytes
   that are not UTF-8 can be controls too. Each becomes U+FFFD, as in nextword/common/terminal.py. */
static void show(FILE *out, Bytes text, bool lines) {
    const uint8_t *at = text.data, *end = at + text.size;
    for (int64_t length; at < end; at += length) {
        uint32_t c;
        length = next_char(at, end, &c);
        bool control = c < 32 || (c >= 127 && c < 160) || c == CODE_POINTS;
        bool turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
        if (control && lines && (c == '\n' || c == '\t')) control = false;
        if (control || turns) fputs("\xef\xbf\xbd", out);
        else fwrite(at, 1, (size_t)length, out);
    }
}

/* One line, exit 2. */
static _Noreturn void stop(const char *where, const Error *error) {
    fputs("run: ", stderr);
    if (where) show(stderr, bytes_of(where), false), fputs(": ", stderr);
    show(stderr, bytes_of(error->text), false);
    fputc('\n', stderr);
    exit(2);
}

static void must(bool good, const char *where, const Error *error) {
    if (!good) stop(where, error);
}

static bool parse_number(const char *name, const char *text, double low, double high, double *out, Error *error) {
    char *end = NULL;
    errno = 0;
    *out = text ? strtod(text, &end) : 0;
    if (text && end != text && !*end && !errno && *out >= low && *out <= high) return true;
    return fail(error, "%s wants a number from %g to %g, got `%.40s`; see --help", name, low, high, text ? text : "");
}

static bool parse_integer(const char *name, const char *text, int64_t low, int64_t high, int64_t *out, Error *error) {
    char *end = NULL;
    errno = 0;
    *out = text ? strtoll(text, &end, 10) : 0;
    if (text && end != text && !*end && !errno && *out >= low && *out <= high) return true;
    return fail(error, "%s wants an integer from %" PRId64 " to %" PRId64 ", got `%.40s`; see --help", name, low,
                high, text ? text : "");
}

static bool parse_option(Options *o, const char *name, const char *value, bool *took, Error *error) {
    int64_t seed;
    *took = true;
    if (!strcmp(name, "-n")) return parse_integer(name, value, 0, INT32_MAX, &o->tokens, error);
    if (!strcmp(name, "-t")) return parse_number(name, value, 0, 100, &o->how.temperature, error);
    if (!strcmp(name, "-k")) return parse_integer(name, value, 0, INT32_MAX, &o->how.top_k, error);
    if (!strcmp(name, "--top-p")) return parse_number(name, value, 0, 1, &o->how.top_p, error);
    if (!strcmp(name, "--min-p")) return parse_number(name, value, 0, 1, &o->how.min_p, error);
    if (!strcmp(name, "--repeat-penalty")) return parse_number(name, value, 0.01, 100, &o->how.repeat_penalty, error);
    if (!strcmp(name, "--threads")) return parse_integer(name, value, 1, 256, &o->threads, error);
    if (!strcmp(name, "--context")) return parse_integer(name, value, 1, 1 << 24, &o->context, error);
    if (!strcmp(name, "--seed")) {
        if (!parse_integer(name, value, 0, INT64_MAX, &seed, error)) return false;
        o->seed = (uint64_t)seed;
        return true;
    }
    const struct { const char *name; const char **value; } texts[] = {
        {"-p", &o->prompt}, {"--perplexity", &o->perplexity}, {"--system", &o->system}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(name, texts[i].name)) continue;
        *texts[i].value = value;
        return value || fail(error, "%s wants a value; see --help", name);
    }
    if (!strcmp(name, "--kv")) {
        o->half = value && !strcmp(value, "f16");
        return o->half || (value && !strcmp(value, "f32")) || fail(error, "--kv is f32 or f16; see --help");
    }
    *took = false;
    const struct { const char *name; bool *value; } switches[] = {
        {"--chat", &o->chat}, {"--bench", &o->bench}, {"--verify", &o->verify}, {"--special", &o->special}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (!strcmp(name, switches[i].name)) return *switches[i].value = true;
    return fail(error, "no option `%.40s`; see --help", name);
}

static bool parse_options(int count, char **words, Options *o, Error *error) {
    *o = (Options){.tokens = -1, .seed = (uint64_t)time(NULL), .how = {0.8, 0.95, 0, 1, 40}};
    for (int i = 1; i < count; i++) {
        bool took;
        if (words[i][0] != '-') {
            if (o->file)
                return fail(error, "two files (%.40s, %.40s); quote the prompt: -p \"...\"", o->file, words[i]);
            o->file = words[i];
        } else if (!parse_option(o, words[i], i + 1 < count ? words[i + 1] : NULL, &took, error)) {
            return false;
        } else if (took) {
            i++;
        }
    }
    if (!o->file) return fail(error, "which model? ./run FILE.gguf -p \"Once upon a time\"; see --help");
    if ((o->prompt != NULL) + o->chat + (o->perplexity != NULL) + o->bench + o->verify != 1)
        return fail(error, "choose one of -p PROMPT, --chat, --perplexity FILE, --bench and --verify; see --help");
    return true;
}

/* One sequence that has the whole pool to itself: its page table is 0, 1, 2... */
typedef struct {
    Engine *engine;
    const Options *options;
    Ids ids;               /* all tokens so far */
    int64_t done;          /* how many of them have been run */
    int64_t capacity, drawn;
    int32_t *table;
    float *logits;
    Choice *choices;
} Sequence;

enum { PAGE_SIZE = 128 };

static void open_sequence(Sequence *sequence, Engine *engine, const Options *options) {
    Error error = {""};
    *sequence = (Sequence){.engine = engine, .options = options, .capacity = engine->pool.pages * PAGE_SIZE};
    sequence->table = room((uint64_t)engine->pool.pages, 4);
    sequence->logits = room((uint64_t)engine->model.shape.V, 4);
    sequence->choices = room((uint64_t)engine->model.shape.V, sizeof(Choice));
    bool good = sequence->table && sequence->logits && sequence->choices;
    must(good || no_memory(&error, "the scores"), NULL, &error);
    for (int64_t i = 0; i < engine->pool.pages; i++) sequence->table[i] = (int32_t)i;
    sequence->capacity = smaller(sequence->capacity, engine->model.shape.context);
    if (options->context) sequence->capacity = smaller(sequence->capacity, options->context);
}

static void close_sequence(Sequence *sequence) {
    free(sequence->ids.id);
    release(sequence->table);
    release(sequence->logits);
    release(sequence->choices);
}

/* Run tokens at positions from `start` on, with the scores of each (all) or of the last. */
static void run_tokens(Sequence *sequence, const int32_t *tokens, int64_t start, int64_t count, bool all,
                       float *logits) {
    Error error = {""};
    int32_t *positions = room((uint64_t)count, 4), *sequences = room((uint64_t)count, 4);
    uint8_t *wanted = room((uint64_t)count, 1);
    must((positions && sequences && wanted) || no_memory(&error, "so long a text"), NULL, &error);
    for (int64_t i = 0; i < count; i++) positions[i] = (int32_t)(start + i), wanted[i] = all || i == count - 1;
    Batch batch = {tokens, positions, sequences, sequence->table, wanted, count, sequence->engine->pool.pages,
                   logits};
    must(decode(sequence->engine, &batch, 1, &error), sequence->options->file, &error);
    release(positions);
    release(sequences);
    release(wanted);
}

static int32_t draw_next(Sequence *sequence) {
    Error error = {""};
    const Options *o = sequence->options;
    const Ids *ids = &sequence->ids;
    int64_t done = sequence->done, V = sequence->engine->model.shape.V;
    run_tokens(sequence, ids->id + done, done, ids->count - done, false, sequence->logits);
    sequence->done = ids->count;
    double coin = coin_of(o->seed, (uint64_t)sequence->drawn++);
    int32_t id = choose(sequence->logits, V, &o->how, ids->id, ids->count, coin, sequence->choices);
    must(id >= 0 || fail(&error, "the model's scores are not numbers; check its weights"), o->file, &error);
    return id;
}

/* How many of these bytes are whole characters, or can never become one. */
static int64_t whole_characters(const uint8_t *text, int64_t size) {
    for (int64_t back = 1; back <= 3 && back <= size; back++) {
        uint8_t byte = text[size - back];
        int64_t length = byte >> 5 == 6 ? 2 : byte >> 4 == 14 ? 3 : byte >> 3 == 30 ? 4 : 1;
        if (byte >> 6 != 2) return length > back ? size - back : size;
    }
    return size;
}

/* Everything printed so far reaches its reader, or we say that it did not. */
static void flush(void) {
    Error error;
    if (!fflush(stdout) && !ferror(stdout)) return;
    explain(&error, "the output cannot be written (%s)", strerror(errno));
    stop(NULL, &error);
}

/* Print what a model says as it says it: whole characters only, to a terminal only what is safe there (show), and
   anywhere else the very bytes. */
typedef struct { uint8_t held[256]; int64_t size; bool terminal; } Printer;

static void print_bytes(Printer *printer, Bytes text, bool last) {
    for (uint64_t i = 0; i < text.size || last; i++) {
        if (i < text.size) printer->held[printer->size++] = text.data[i];
        if (i + 1 < text.size && printer->size < (int64_t)sizeof printer->held) continue;
        int64_t whole = last && i + 1 >= text.size ? printer->size : whole_characters(printer->held, printer->size);
        if (printer->terminal) show(stdout, (Bytes){printer->held, (uint64_t)whole}, true);
        else fwrite(printer->held, 1, (size_t)whole, stdout);
        memmove(printer->held, printer->held + whole, (size_t)(printer->size -= whole));
        if (last && i + 1 >= text.size) break;
    }
    flush();
}

/* Draw and print until a token that ends the text, or the limit. The ending token stays unsaid but is kept. */
static void continue_text(Sequence *sequence, int64_t limit, int32_t end) {
    const Tokenizer *tok = sequence->engine->tokenizer;
    Printer printer = {.terminal = isatty(1)};
    Error error = {""};
    bool full = false;
    for (int64_t i = 0; i < limit && !(full = sequence->ids.count >= sequence->capacity); i++) {
        int32_t id = draw_next(sequence);
        must(push_id(&sequence->ids, id) || no_memory(&error, "so long a text"), NULL, &error);
        if (id == end || id == tok->eos || id == tok->eot) break;
        print_bytes(&printer, token_text(tok, id), false);
    }
    print_bytes(&printer, (Bytes){NULL, 0}, true);
    putchar('\n');
    if (!full) return;
    flush();
    fprintf(stderr, "run: stopped here: the context of %" PRId64 " tokens is full\n", sequence->capacity);
}

static void need_room(const Sequence *sequence) {
    Error error;
    if (sequence->ids.count < sequence->capacity) return;
    explain(&error, "%" PRId64 " tokens do not fit the context of %" PRId64 "; shorten the text or raise --context "
            "(the model knows %" PRId64 ")", sequence->ids.count, sequence->capacity,
            sequence->engine->model.shape.context);
    stop(sequence->options->file, &error);
}

static void begin(Sequence *sequence) {
    const Tokenizer *tok = sequence->engine->tokenizer;
    if (tok->adds_bos && tok->bos >= 0) push_id(&sequence->ids, tok->bos);
}

static void run_prompt(Sequence *sequence) {
    const Options *o = sequence->options;
    const Tokenizer *tok = sequence->engine->tokenizer;
    Error error = {""};
    begin(sequence);
    must(encode(tok, bytes_of(o->prompt), o->special, &sequence->ids, &error), NULL, &error);
    if (!sequence->ids.count) push_id(&sequence->ids, larger(tok->bos, 0));
    need_room(sequence);
    Printer printer = {.terminal = isatty(1)};
    print_bytes(&printer, bytes_of(o->prompt), true);
    continue_text(sequence, o->tokens < 0 ? 128 : o->tokens, -1);
}

static void run_chat(Sequence *sequence) {
    const Options *o = sequence->options;
    const Tokenizer *tok = sequence->engine->tokenizer;
    Error error = {""};
    Chat chat;
    must(read_chat(tok, &chat, &error), o->file, &error);
    char *line = NULL;
    size_t room_for_line = 0;
    for (bool first = true; ; first = false) {
        if (isatty(0)) fputs("> ", stdout), fflush(stdout);
        ssize_t size = getline(&line, &room_for_line, stdin);
        if (size < 0) break;
        if (size && line[size - 1] == '\n') line[--size] = 0;
        if (!first && sequence->ids.id[sequence->ids.count - 1] != chat.end) push_id(&sequence->ids, chat.end);
        must(add_turn(tok, &chat, o->system, line, first, &sequence->ids, &error), NULL, &error);
        need_room(sequence);
        continue_text(sequence, o->tokens < 0 ? 512 : o->tokens, chat.end);
    }
    free(line);
}

static bool map_text(const char *path, Bytes *text, Error *error) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0) return fail(error, "cannot be read as text (%s)", strerror(errno));
    void *memory = MAP_FAILED;
    if (!fstat(descriptor, &status) && S_ISREG(status.st_mode) && status.st_size)
        memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (memory == MAP_FAILED) return fail(error, "cannot be read as text; give a file that is not empty");
    *text = (Bytes){memory, (uint64_t)status.st_size};
    return true;
}

/* -ln p of every token of a text after BOS, in blocks of the context: exp of the mean is the perplexity, its sum in
   bits over the text's bytes the bits per byte. A block starts with an empty past, so its first tokens are hard. */
static void run_perplexity(Sequence *sequence) {
    const Options *o = sequence->options;
    Engine *e = sequence->engine;
    Error error = {""};
    Bytes text = {NULL, 0};
    Ids *ids = &sequence->ids;
    must(map_text(o->perplexity, &text, &error), o->perplexity, &error);
    push_id(ids, larger(e->tokenizer->bos, 0));
    must(encode(e->tokenizer, text, false, ids, &error), NULL, &error);
    int64_t V = e->model.shape.V, scored = 0;
    float *logits = room(PASS, (uint64_t)V * 4);
    must(logits || no_memory(&error, "the scores"), NULL, &error);
    double total = 0;
    for (int64_t at = 0; at + 1 < ids->count;) {
        int64_t block = scored % sequence->capacity;
        int64_t count = smaller(PASS, smaller(sequence->capacity - block, ids->count - 1 - at));
        run_tokens(sequence, ids->id + at, block, count, true, logits);
        for (int64_t t = 0; t < count; t++) {
            const float *row = logits + t * V;
            double most = row[0], sum = 0;
            for (int64_t i = 1; i < V; i++) most = row[i] > most ? row[i] : most;
            for (int64_t i = 0; i < V; i++) sum += exp(row[i] - most);
            total += most + log(sum) - row[ids->id[at + t + 1]];
        }
        at += count;
        scored += count;
    }
    printf("perplexity %.5f, bits per byte %.6f, %" PRId64 " tokens, %" PRIu64 " bytes\n",
           exp(total / (double)scored), total / log(2) / (double)text.size, scored, text.size);
    release(logits);
    munmap((void *)(uintptr_t)text.data, text.size);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Tokens per second of reading a prompt and of writing, each from an empty past; drawing is not counted. */
static void run_bench(Sequence *sequence) {
    int64_t prompt = smaller(512, sequence->capacity), V = sequence->engine->model.shape.V;
    int64_t tokens = smaller(sequence->options->tokens < 0 ? 128 : sequence->options->tokens, sequence->capacity);
    int32_t *ids = room((uint64_t)larger(prompt, tokens), 4);
    for (int64_t i = 0; i < larger(prompt, tokens); i++) ids[i] = (int32_t)(stir((uint64_t)i) % (uint64_t)V);
    run_tokens(sequence, ids, 0, 1, false, sequence->logits);  /* the first touch is the disk's speed */
    double start = now();
    run_tokens(sequence, ids, 0, prompt, false, sequence->logits);
    double middle = now();
    for (int64_t i = 0; i < tokens; i++) run_tokens(sequence, ids + i, i, 1, false, sequence->logits);
    double end = now();
    printf("kernels: %s, threads: %d\n", sequence->engine->kernels->name, sequence->engine->team.threads);
    printf("prefill %" PRId64 ": %.1f tokens/s\n", prompt, (double)prompt / (middle - start));
    printf("generate %" PRId64 ": %.1f tokens/s\n", tokens, (double)tokens / (end - middle));
    release(ids);
}

static void run_verify(const Options *o) {
    Error error = {""};
    char hex[65];
    must(verify_file(o->file, hex, &error), o->file, &error);
    printf("ok: the weights are those that were written (SHA-256 %s)\n", hex);
}

int main(int count, char **words) {
    Options options;
    Error error = {""};
    Sequence sequence;
    for (int i = 1; i < count; i++)
        if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) return fputs(help, stdout) < 0;
    must(parse_options(count, words, &options, &error), NULL, &error);
    if (options.verify) return run_verify(&options), flush(), 0;
    int64_t context = options.context ? options.context : 8192;
    /* the file's own context is not known yet; pages that are never written cost nothing */
    Engine *engine = nw_open(options.file, (context + PAGE_SIZE - 1) / PAGE_SIZE, PAGE_SIZE, (int32_t)options.threads,
                             options.half, error.text, sizeof error.text);
    must(engine != NULL, options.file, &error);
    open_sequence(&sequence, engine, &options);
    if (options.bench) run_bench(&sequence);
    else if (options.perplexity) run_perplexity(&sequence);
    else if (options.chat) run_chat(&sequence);
    else run_prompt(&sequence);
    close_sequence(&sequence);
    nw_close(engine);
    flush();
    return 0;
}
#endif /* !NEXTWORD_LIBRARY */
#endif /* !KERNEL_SET */
