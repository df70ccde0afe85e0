// Looks at a row between the samples of a share.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

class RowWatch {
public:
    RowWatch(const RowJob &job, const RowWork &work)
        : watch_(*job.watch), row_(work.row), rows_(job.cells->rows), stride_(job.cells->stride), samples_(job.trains->samples),
          seen_(work.apparent ? work.apparent : work.weight) {}

    // The pulses of `sample` come next.
    void start(int64_t sample) {
        while (at_ < sample) {
            after();
            ++at_;
            before();
        }
    }

    // No more pulses come.
    void finish() {
        start(samples_ - 1);
        after();
    }

private:
    void before() const {
        const float *fires = watch_.col_fires + at_ * stride_;
        V sum[UNITS] = {}, fired[UNITS] = {};
        for (int64_t col = 0; col < stride_; col += BLOCK)
            for (int u = 0; u < UNITS; ++u) {
                const V w = load<V>(seen_ + col + u * LANES);
                sum[u] = sum[u] + w;
                fired[u] = fused(load<V>(fires + col + u * LANES), w, fired[u]);
            }
        watch_.on_lines[row_ * samples_ + at_] = (double)watch_.row_fires[at_ * rows_ + row_] * sum_lanes(sum) + sum_lanes(fired);
    }

    void after() const {
        if (at_ >= 0 && watch_.column[at_] >= 0) watch_.read[at_ * rows_ + row_] = seen_[watch_.column[at_]];
    }

    const Watch &watch_;
    const int64_t row_, rows_, stride_, samples_;
    const float *seen_;
    int64_t at_ = -1;
};

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
