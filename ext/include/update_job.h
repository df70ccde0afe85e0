// What an update reads, changes and returns; plain data, the same for every instruction set.
#pragma once

#include <cstdint>
#include <vector>

#include "pulse_log.h"

namespace hwsim {

enum class LawId : int {
    constant = 0,
    affine = 1,
    additive = 2,
    exponential = 3,
    power = 4,
    exponential_response = 5,
    piecewise = 6,
    table = 7
};

// Half-open ranges of the rows and columns whose pulses are logged.
struct Probe {
    int64_t row_begin = 0, row_end = 0, col_begin = 0, col_end = 0;
    bool holds_row(int64_t row) const { return row >= row_begin && row < row_end; }
};

// The devices of one array. Rows are padded to `stride` columns, a multiple of 32; padding never fires.
struct Cells {
    int64_t rows = 0, cols = 0, stride = 0;
    LawId law = LawId::constant;
    float *weight = nullptr;       // [rows][stride], persistent weight
    float *apparent = nullptr;     // [rows][stride], weight with write noise; null without
    const float *params = nullptr; // [rows][planes][stride]: a row's planes lie together, so they share no cache set
    const float *device_params = nullptr; // [rows][stride][pitch]: the same, a device's together, for rows with few pulses
    int64_t pitch = 0;
    const float *scalars = nullptr;
    float write_noise = 0;         // standard deviation of the write noise, in weight units
    uint64_t key_pulse = 0, key_write = 0, key_log = 0;
    uint64_t *pulse_position = nullptr; // [rows], normals of the row's stream that have been used
    uint64_t *write_position = nullptr;
    uint32_t *pulse_counts = nullptr; // [2][rows][stride], up and down pulses of each device; null without
};

// What a train holds: random slots, the rounded mean number of pulses, or the (quantised) pulse probability itself.
enum class TrainKind : int { random = 0, mean_count = 1, implicit = 2 };

// Which coincidences pulse a device: all of them in their own direction, or those of one direction only, each as an up pulse
// (the halves of a pair whose devices are only pulsed up).
enum class Side : int { both = 0, up = 1, down = 2 };

// How the lines of one side (x: index 0, d: index 1) draw their trains.
struct TrainSide {
    uint64_t key = 0, key_rounding = 0;
    uint32_t index = 0;
    double resolution = 0; // of the pulse probability; 0 = continuous
    bool stochastic_rounding = false;
    TrainKind kind = TrainKind::random;
    int keep = 0; // +1: only lines with positive values fire, -1: only negative ones, 0: all
};

// A segment in which a row fires.
struct RowFire {
    int32_t segment, row;
    uint32_t mask;
};

// Firing columns in a block of 32 up to which collecting their devices is less work than visiting the blocks, and the most that
// are collected. Both decide in which order devices take normals, so they are part of the numbers.
constexpr int PER_BLOCK = 10, FEW = 256;

// Pulse trains of some samples, ready for the row loop. A segment is up to 32 slots of one sample.
struct Trains {
    TrainKind kind = TrainKind::random;
    int64_t samples = 0, segments = 0, blocks = 0; // blocks of 32 columns
    std::vector<int32_t> segment_sample, segment_slot, segment_bl;
    std::vector<uint32_t> col_masks;    // [segments][stride] slots in which the line fires; else counts, or float32 probabilities
    std::vector<uint32_t> col_negative; // [samples][blocks] one bit a line
    std::vector<RowFire> row_fires;     // of every row in turn
    std::vector<int64_t> row_begin;     // [rows + 1]
    std::vector<uint32_t> row_negative; // [samples][row_words] one bit a line
    int64_t row_words = 0;
    std::vector<int32_t> firing_blocks; // of every segment in turn
    std::vector<int64_t> firing_begin;  // [segments + 1]
    // The firing columns of every segment that has few of them, in turn, with their masks and signs; padded with silent ones
    // to a multiple of 32. Those that fire in more slots come first, so that the devices of a block have about as many pulses.
    std::vector<int32_t> few_columns;
    std::vector<uint32_t> few_masks, few_negative; // few_negative: one bit a column
    std::vector<int64_t> few_begin;                // [segments + 1]
    std::vector<int32_t> few_count;                // [segments], without the padding
};

// Counts of one row and sample.
struct RowTotals {
    int64_t up = 0, down = 0;
    double weight = 0; // sum over the pulses of the persistent weight before the pulse
};

// The counts of a row that fired in a sample.
struct RowEntry {
    int64_t sample;
    RowTotals totals;
};

// What is looked at between the samples of a share: the weights of one column after each of them, as a read sees them, and what
// the firing lines see before it, sum_ij (r_i + c_j) w_ij for firings r of the rows and c of the columns.
struct Watch {
    const int32_t *column = nullptr;     // [samples]; negative: none
    float *read = nullptr;               // [samples][rows]
    const float *col_fires = nullptr;    // [samples][stride]
    const uint32_t *row_fires = nullptr; // [samples][rows]
    double *on_lines = nullptr;          // [rows][samples]
};

// Trains of some samples for the rows of an array.
struct RowJob {
    const Cells *cells;
    const Trains *trains;
    bool negative_rate;
    Side side;
    const Probe *probe;
    const PulseLog *log; // where the moments of a sample begin; null: nothing is logged
    const Watch *watch;  // null: nothing is looked at
};

// What a law does with the rows [begin, end): samples in order, or one pulse of given polarity [rows][stride] on every device.
struct LawKernel {
    void (*train)(const RowJob &job, int64_t begin, int64_t end, std::vector<RowEntry> *entries, RawPulses *log);
    void (*polarity)(const Cells &cells, const int32_t *polarity, int64_t begin, int64_t end, const Probe &probe, RowTotals *totals,
                     RawPulses *log);
};

// The laws, for the instruction set of this machine; each is compiled in ext/laws.
LawKernel constant_law();
LawKernel affine_law();
LawKernel additive_law();
LawKernel exponential_law();
LawKernel power_law();
LawKernel exponential_response_law();
LawKernel piecewise_law();
LawKernel table_law();

inline LawKernel law_kernel(LawId law) {
    switch (law) {
        case LawId::constant: return constant_law();
        case LawId::affine: return affine_law();
        case LawId::additive: return additive_law();
        case LawId::exponential: return exponential_law();
        case LawId::power: return power_law();
        case LawId::exponential_response: return exponential_response_law();
        case LawId::piecewise: return piecewise_law();
        default: return table_law();
    }
}

}  // namespace hwsim
