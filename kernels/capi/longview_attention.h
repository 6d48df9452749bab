/* SampleAttention for other programs: block selection and prefill attention on given Q, K and V.
 *
 * A plain C interface (C99) of one shared library, liblongview_attention.so, which needs an NVIDIA
 * driver for CUDA 13 and nothing else. kernels/capi/python/ binds it to Python, with an example.
 *
 * Tensors are bf16, row-major, in memory of the current CUDA device, aligned to 16 bytes and never
 * null unless said otherwise. A sequence has kv_len positions, of which a call's queries are the
 * last q_len: a prompt is read in one call, or in chunks over what is cached before them. Attention
 * is causal, with grouped heads; queries and keys are rotated already. Calls enqueue their work on
 * `stream`, a cudaStream_t (null: the default stream), and wait for nothing; tensors must last until
 * it is done. A handle belongs to the device that was current when it was made, and is used on one
 * stream at a time.
 *
 * Functions that can fail return a longview_status. For one that is not LONGVIEW_OK they write what
 * is wrong to `message`, of `message_size` bytes, which may be null: text in UTF-8, ended by a zero,
 * cut where it is too long. */
#ifndef LONGVIEW_ATTENTION_H
#define LONGVIEW_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LONGVIEW_API __attribute__((visibility("default")))
#else
#define LONGVIEW_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a structure or a function here changes. */
#define LONGVIEW_ATTENTION_ABI 1

/* LONGVIEW_ATTENTION_ABI of the library. A program built for another one must not call it. */
LONGVIEW_API int longview_attention_abi(void);

typedef enum longview_status {
  LONGVIEW_OK = 0,
  LONGVIEW_INVALID_ARGUMENT = 1, /* nothing was enqueued */
  LONGVIEW_UNSUPPORTED = 2,      /* no kernel for this device: compute capability below 8.0 */
  LONGVIEW_CUDA_ERROR = 3,       /* no device, no memory, or a failed launch */
  LONGVIEW_FAILED = 4            /* anything else, such as no host memory */
} longview_status;

/* The heads of one layer. */
typedef struct longview_heads {
  int num_heads;    /* a multiple of num_kv_heads, at most 64 times as many */
  int num_kv_heads;
  int head_dim;     /* 64 or 128 */
} longview_heads;

/* Which blocks of 64 keys each tile of 128 query positions of each query head attends to, in device
 * memory. Tile t of a call holds the positions kv_len - q_len + 128 t and up; (kv_len - q_len) is a
 * multiple of 128. Block numbers of a list ascend without duplicates, none begins behind the tile's
 * last position, and the blocks of the tile's own positions are in it. What a list holds is not
 * checked. */
typedef struct longview_lists {
  uint16_t* blocks; /* [num_heads, tiles, max_blocks], aligned to 16 bytes */
  int32_t* counts;  /* [num_heads, tiles]: how many blocks of a list count */
  int tiles;        /* longview_lists_tiles(q_len) */
  int max_blocks;   /* a multiple of 8, at least longview_lists_pitch(kv_len) */
} longview_lists;

/* Tiles of q_len queries, and the smallest max_blocks for kv_len keys. */
LONGVIEW_API int longview_lists_tiles(int q_len);
LONGVIEW_API int longview_lists_pitch(int kv_len);

/* ---- Attention ---- */

/* One call of one layer. With a block table, key and value are pools of 640-token blocks, and token
 * t lies in row block_table[t / 640] * 640 + t % 640. */
typedef struct longview_prefill_call {
  const void* query; /* [q_len, num_heads, head_dim] */
  const void* key;   /* [kv_len, num_kv_heads, head_dim], or the pool: */
  const void* value; /* [pool_blocks * 640, num_kv_heads, head_dim] */
  void* output;      /* [q_len, num_heads, head_dim] */
  int q_len;         /* 0 <= q_len <= kv_len; 0 does nothing */
  int kv_len;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  float softmax_scale;        /* > 0, usually 1 / sqrt(head_dim) */
  const int32_t* block_table; /* int32 [ceil(kv_len / 640)], or null: tokens lie in order */
  int pool_blocks;            /* at least ceil(kv_len / 640) with a block table */
} longview_prefill_call;

typedef struct longview_dense_prefill longview_dense_prefill;
typedef struct longview_sparse_prefill longview_sparse_prefill;

/* Dense causal attention. `portable` is 0, or 1: the kernel for every device where a faster one
 * exists, too. */
LONGVIEW_API int longview_dense_prefill_create(longview_dense_prefill** prefill, int portable,
                                               char* message, int message_size);
LONGVIEW_API void longview_dense_prefill_destroy(longview_dense_prefill* prefill);
LONGVIEW_API int longview_dense_prefill_run(const longview_dense_prefill* prefill,
                                            const longview_prefill_call* call, void* stream,
                                            char* message, int message_size);

/* Attention over the blocks of lists alone: one online softmax over them. `max_query_tiles`, 1 to
 * 2^20, is the largest num_heads * tiles of a call; 4 bytes of device memory each. */
LONGVIEW_API int longview_sparse_prefill_create(longview_sparse_prefill** prefill,
                                                int max_query_tiles, int portable, char* message,
                                                int message_size);
LONGVIEW_API void longview_sparse_prefill_destroy(longview_sparse_prefill* prefill);
LONGVIEW_API int longview_sparse_prefill_run(const longview_sparse_prefill* prefill,
                                             const longview_prefill_call* call,
                                             const longview_lists* lists, void* stream,
                                             char* message, int message_size);

/* ---- Selection ---- */

/* docs/sample-attention.md says what each strategy does, and why. */
enum {
  LONGVIEW_STRATEGY_TILES = 0,  /* blocks for each query tile, from queries sampled in it */
  LONGVIEW_STRATEGY_STRIPS = 1, /* columns and diagonals (SampleAttention v3) */
  LONGVIEW_STRATEGY_COLUMNS = 2 /* columns and a window (SampleAttention v1 and v2) */
};
enum { LONGVIEW_SCORE_MEAN = 0, LONGVIEW_SCORE_MAXIMUM = 1 };

typedef struct longview_tile_settings {
  int sampled_rows; /* of a tile: 8, 16 or 32 */
  int score;        /* what its rows make of their shares of a block: LONGVIEW_SCORE_ */
} longview_tile_settings;

typedef struct longview_strip_settings {
  int segment_tokens;  /* a multiple of 128 */
  float alpha_slashes; /* as alpha, of the diagonals */
} longview_strip_settings;

typedef struct longview_column_settings {
  int row_step;       /* one sampled query in so many */
  float window_share; /* the window, as a share of the keys so far */
} longview_column_settings;

typedef struct longview_selection_settings {
  int strategy;    /* LONGVIEW_STRATEGY_ */
  int pooled_keys; /* consecutive keys averaged before they are scored: 1, 4, 8 or 16 */
  longview_tile_settings tiles;
  longview_strip_settings strips;
  longview_column_settings columns;
  float alpha;           /* share of the estimated attention mass to reach; 1 keeps everything */
  int count_forced_mass; /* 1: what is kept anyway counts towards alpha */
  int sink_blocks;       /* kept anyway: the first blocks, */
  int window_tokens;     /* and the keys before the tile */
  int min_blocks;        /* bounds of a list, LONGVIEW_STRATEGY_TILES alone; 0: none */
  int max_blocks;
  float dense_above; /* a list with more than this share of the visible blocks keeps them all */
} longview_selection_settings;

/* Fills in the defaults. */
LONGVIEW_API void longview_selection_defaults(longview_selection_settings* settings);

/* Chooses the blocks of one layer of one call. */
typedef struct longview_selection_call {
  const void* query; /* as in longview_prefill_call */
  const void* key;
  /* Averages of keys, which a call fills in for the tokens from pool_from on, and reads for all:
   * longview_selector_pooled_bytes of memory that lasts from chunk to chunk of a sequence. Not used
   * where pooled_keys is 1. */
  void* pooled_key;
  int q_len;
  int kv_len;
  longview_heads heads;
  float softmax_scale;
  const int32_t* block_table;
  int pool_blocks;
  int pool_from;           /* at most kv_len - q_len, which is usual */
  int dense_from;          /* tiles that reach this position keep everything; INT_MAX: none */
  const float* head_alpha; /* float [num_heads] on the device in place of alpha, or null */
  void* workspace;         /* longview_selector_workspace_bytes; nothing in it needs to last */
  longview_lists lists;    /* where the result goes */
} longview_selection_call;

/* Stages of a call; FILTERING reads what SAMPLING left in the workspace. */
enum { LONGVIEW_BOTH_STAGES = 0, LONGVIEW_SAMPLING = 1, LONGVIEW_FILTERING = 2 };

typedef struct longview_selector longview_selector;

LONGVIEW_API int longview_selector_create(longview_selector** selector,
                                          const longview_selection_settings* settings, int portable,
                                          char* message, int message_size);
LONGVIEW_API void longview_selector_destroy(longview_selector* selector);

/* Bytes of workspace for calls of at most q_len queries over at most kv_len keys. */
LONGVIEW_API size_t longview_selector_workspace_bytes(const longview_selector* selector,
                                                      const longview_heads* heads, int q_len,
                                                      int kv_len);

/* Bytes of averages for sequences of at most kv_len keys; with a block table, for a pool of
 * kv_len / 640 blocks. */
LONGVIEW_API size_t longview_selector_pooled_bytes(const longview_selector* selector,
                                                   const longview_heads* heads, int kv_len);

/* Lists repeat bit for bit. Under LONGVIEW_STRATEGY_TILES they do not depend on the chunking. */
LONGVIEW_API int longview_selector_run(const longview_selector* selector,
                                       const longview_selection_call* call, int stages,
                                       void* stream, char* message, int message_size);

#ifdef __cplusplus
}
#endif

#endif
