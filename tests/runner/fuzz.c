/* Mutated GGUF files against run.c, to be built with -fsanitize=address,undefined:

       fuzz SEED COUNT FILE...

   Each round takes one of the files, damages it (nearly always in the header, where all lengths are), and does with
   it what a person would: opens it, and if that is refused (with a reason, in one line) goes on; if not, turns text
   into ids and back, begins a chat turn and predicts two tokens. The copy lies in a heap block of exactly its size,
   so a read of one byte too many is seen. Prints how many were refused and how many ran. */
#define NEXTWORD_LIBRARY
#include "../../nextword/runner/run.c"

static uint64_t state;

static uint64_t below(uint64_t limit) {
    state += 0x9e3779b97f4a7c15;
    return limit ? stir(state) % limit : 0;
}

static Bytes read_whole(const char *path) {
    Bytes mapped = {NULL, 0};
    Error error = {""};
    if (!map_file(path, &mapped, &error)) {
        fprintf(stderr, "%s: %s\n", path, error.text);
        exit(1);
    }
    return mapped;
}

/* Where the tensors' bytes begin. */
static uint64_t header_size(Bytes file) {
    Gguf gguf;
    Error error;
    if (!parse_gguf(file, &gguf, &error)) exit(1);
    uint64_t size = (uint64_t)(gguf.data.data - file.data);
    close_gguf(&gguf);
    return size;
}

static const uint64_t telling[] = {0, 1, 2, 7, 8, 9, 12, 31, 127, 128, 255, 256, 0x7fff, 0xffff, 0x10000, 0x7fffffff,
                                   0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
                                   0xffffffffffffffff, 0xfffffffffffffff8, 0x7fc00000, 0x7f800000, 0xff800000};

static void damage(uint8_t *data, uint64_t *size, uint64_t header) {
    uint64_t reach = below(10) ? header : *size, at = below(reach);
    if (reach > *size) reach = *size;
    if (at >= *size) return;
    uint64_t value = telling[below(sizeof telling / sizeof *telling)], width = (uint64_t)1 << below(4);
    switch (below(9)) {
        case 0: case 1: data[at] ^= (uint8_t)(1 << below(8)); break;
        case 2: data[at] = (uint8_t)below(256); break;
        case 3: case 4: if (*size - at >= width) memcpy(data + at, &value, width); break;
        case 5: {
            uint64_t number = 0;
            if (*size - at < width) break;
            memcpy(&number, data + at, width);
            number += below(65) - 32;
            memcpy(data + at, &number, width);
            break;
        }
        case 6: {  /* take some bytes out */
            uint64_t gone = 1 + below(16);
            if (*size - at <= gone) break;
            memmove(data + at, data + at + gone, *size - at - gone);
            *size -= gone;
            break;
        }
        case 7: {  /* copy a stretch elsewhere */
            uint64_t from = below(reach), length = 1 + below(64);
            if (from + length > *size || at + length > *size) break;
            memmove(data + at, data + from, length);
            break;
        }
        default: if (!below(4)) *size = at;
    }
}

/* A key that happens to hold this name gets another value: mutations that know where the numbers are. */
static void damage_value(uint8_t *data, uint64_t size, uint64_t header) {
    static const char *const names[] = {"llama.", "tokenizer.ggml.", "general.", "blk.", "token_embd", "output"};
    const char *name = names[below(sizeof names / sizeof *names)];
    uint64_t limit = header < size ? header : size, at = below(limit);
    const uint8_t *found = limit > at ? memmem(data + at, limit - at, name, strlen(name)) : NULL;
    if (!found) return;
    uint64_t value = telling[below(sizeof telling / sizeof *telling)], width = below(2) ? 4 : 8;
    uint64_t place = (uint64_t)(found - data) + below(64);
    if (place + width <= size) memcpy(data + place, &value, width);
}

static void use(Engine *e) {
    static const char text[] = "hello w\xc3\xb6rld 123, it's  \n <|end|> \xff\xf0\x9f\x98\x80";
    int32_t ids[256], places[2] = {0, 1}, owners[2] = {0, 0}, table[1] = {0}, tokens[2] = {0, 0};
    char reason[400];
    int64_t count = nw_tokenize(e, (const uint8_t *)text, sizeof text - 1, 1, ids, 256);
    for (int64_t i = 0; i < count && i < 256; i++) {
        uint8_t bytes[64];
        nw_token_bytes(e, ids[i], bytes, sizeof bytes);
    }
    nw_turn(e, "be kind", "hello", 1, ids, 256, reason, sizeof reason);
    float *logits = malloc(2 * (size_t)e->model.shape.V * sizeof(float));
    tokens[1] = count > 0 ? ids[0] : 0;
    if (tokens[1] < 0 || tokens[1] >= e->model.shape.V) tokens[1] = 0;
    uint8_t wanted[2] = {1, 1};
    if (logits && nw_decode(e, tokens, places, owners, 2, table, 1, 1, wanted, logits, reason, sizeof reason) == 0)
        nw_choose(logits, e->model.shape.V, 0.8, 40, 0.95, 0.05, 1.1, tokens, 2, 0.5);
    free(logits);
}

int main(int count, char **words) {
    if (count < 4) return 1;
    uint64_t rounds = strtoull(words[2], NULL, 10), refused = 0, ran = 0;
    int files = count - 3;
    Bytes original[64];
    uint64_t header[64];
    state = strtoull(words[1], NULL, 10);
    for (int i = 0; i < files && i < 64; i++) {
        original[i] = read_whole(words[3 + i]);
        header[i] = header_size(original[i]);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t which = below((uint64_t)files), size = original[which].size;
        uint8_t *copy = malloc(size);
        memcpy(copy, original[which].data, size);
        for (uint64_t n = 1 + below(2); n > 0; n--) damage(copy, &size, header[which]);
        for (uint64_t n = below(2); n > 0; n--) damage_value(copy, size, header[which]);
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, copy, size);
        free(copy);
        Engine *e = calloc(1, sizeof *e);
        Error error = {""};
        if (build_engine(e, (Bytes){exact, size}, 1, 8, 1, below(2) != 0, &error)) {
            use(e);
            ran++;
        } else {
            if (!error.text[0] || strchr(error.text, '\n')) abort();  /* a refusal has a reason, in one line */
            refused++;
        }
        e->file.size = 0;  /* not mapped: nothing to unmap */
        nw_close(e);
        free(exact);
    }
    printf("%" PRIu64 " mutated files: %" PRIu64 " refused, %" PRIu64 " ran\n", rounds, refused, ran);
    return 0;
}
