/* NVML's binary interface, as nvidia-ml-py calls it on Linux, for cards that a text file tells of.
 *
 * Each line of the file that NVML_CARDS names is a card: `name total used busy state pid bytes [pid bytes ...]`, sizes in
 * bytes, busy in per cent (-1: it does not say). state: ok; lost: every question fails; whole: it tells of no processes.
 * It is read anew at every question, so cards change while somebody looks. Types and codes are those of NVIDIA's nvml.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
enum { MOST_CARDS = 8, MOST_PROCESSES = 8 };

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned int pid; unsigned long long bytes; unsigned int instance, compute; } process_t;
typedef struct {
    char name[64], state[16];
    unsigned long long total, used;
    int busy;
    unsigned int held;
    process_t processes[MOST_PROCESSES];
} card_t;

static int cards(card_t *found) {
    char line[1024];
    int count = 0;
    FILE *file = fopen(getenv("NVML_CARDS"), "r");
    if (!file) return -1;
    while (count < MOST_CARDS && fgets(line, sizeof line, file)) {
        card_t *card = &found[count];
        int at = 0;
        memset(card, 0, sizeof *card);
        if (sscanf(line, "%63s %llu %llu %d %15s%n", card->name, &card->total, &card->used, &card->busy, card->state, &at) < 5) continue;
        char *rest = line + at;
        while (card->held < MOST_PROCESSES) {
            process_t *process = &card->processes[card->held];
            if (sscanf(rest, "%u %llu%n", &process->pid, &process->bytes, &at) < 2) break;
            rest += at;
            card->held++;
        }
        count++;
    }
    fclose(file);
    return count;
}

static int card_of(void *device, card_t *card) {
    static card_t found[MOST_CARDS];
    int place = (int)(size_t)device - 1, count = cards(found);
    if (place < 0 || place >= count) return INVALID_ARGUMENT;
    *card = found[place];
    return strcmp(card->state, "lost") == 0 ? GPU_IS_LOST : SUCCESS;
}

int nvmlInitWithFlags(unsigned int flags) {
    card_t found[MOST_CARDS];
    (void)flags;
    return cards(found) < 0 ? DRIVER_NOT_LOADED : SUCCESS;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "an error"; }

int nvmlDeviceGetCount_v2(unsigned int *count) {
    card_t found[MOST_CARDS];
    int there = cards(found);
    if (there < 0) return DRIVER_NOT_LOADED;
    *count = (unsigned int)there;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    card_t card;
    *device = (void *)(size_t)(index + 1);
    return card_of(*device, &card);
}

int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    card_t card;
    int code = card_of(device, &card);
    if (code == SUCCESS) *memory = (memory_t){card.total, card.total - card.used, card.used};
    return code;
}

int nvmlDeviceGetName(void *device, char *name, unsigned int length) {
    card_t card;
    int code = card_of(device, &card);
    if (code == SUCCESS) snprintf(name, length, "%s", card.name);
    return code;
}

int nvmlDeviceGetUtilizationRates(void *device, utilization_t *rates) {
    card_t card;
    int code = card_of(device, &card);
    if (code != SUCCESS) return code;
    if (card.busy < 0) return NOT_SUPPORTED;
    *rates = (utilization_t){(unsigned int)card.busy, 0};
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, process_t *processes) {
    card_t card;
    int code = card_of(device, &card);
    if (code != SUCCESS) return code;
    if (strcmp(card.state, "whole") == 0) return NOT_SUPPORTED;
    unsigned int room = *count;
    *count = card.held;
    if (room < card.held) return INSUFFICIENT_SIZE;
    memcpy(processes, card.processes, card.held * sizeof *processes);
    return SUCCESS;
}
