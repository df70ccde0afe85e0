# What the kernel is made of: the types and functions of ext/include that pulse.pyx calls.

from libc.stdint cimport int8_t, int32_t, int64_t, uint32_t, uint64_t
from libcpp cimport bool as cbool


cdef extern from "update.h" namespace "hwsim" nogil:
    cdef enum class LawId(int):
        pass

    cdef cppclass Buffer[T]:
        const T *data() const
        size_t size() const

    cdef cppclass LogColumns:
        int64_t *t
        int64_t *sample
        int32_t *slot
        int32_t *row
        int32_t *col
        int8_t *polarity
        float *dw
        float *w

    cdef cppclass PulseLog:
        size_t size() const
        cbool has_times() const
        void write(LogColumns) const

    cdef cppclass LineLog:
        Buffer[int64_t] sample
        Buffer[int32_t] slot, line
        Buffer[int8_t] column, sign

    cdef cppclass LogClock:
        const int64_t *starts
        int64_t slot
        int phases

    cdef cppclass Probe:
        int64_t row_begin, row_end, col_begin, col_end

    cdef enum class TrainKind(int):
        random

    cdef enum class Side(int):
        pass

    cdef cppclass TrainSide:
        uint64_t key, key_rounding
        uint32_t index
        double resolution
        cbool stochastic_rounding
        TrainKind kind

    cdef cppclass Cells:
        int64_t rows, cols, stride
        LawId law
        float *weight
        float *apparent
        const float *params
        const float *device_params
        int64_t pitch
        const float *scalars
        float write_noise
        uint64_t key_pulse, key_write, key_log
        uint64_t *pulse_position
        uint64_t *write_position
        uint32_t *pulse_counts

    cdef cppclass UpdateInput:
        const float *x
        const float *d
        int64_t n
        const int32_t *bl
        const double *col_gain
        const double *row_gain
        cbool negative_rate, two_passes
        Side side
        TrainSide x_side, d_side
        uint64_t first_ordinal
        Probe probe
        LogClock clock
        const int32_t *column
        int threads

    cdef cppclass UpdateOutput:
        int64_t *up
        int64_t *down
        double *weight
        uint32_t *row_fires
        uint32_t *col_fires
        float *read
        double *on_lines
        PulseLog *log
        LineLog *lines

    cdef cppclass LogRoom:
        PulseLog log
        LineLog lines
        void clear()
        @staticmethod
        LogRoom &of_this_thread()

    cdef cppclass Updater:
        void run(const Cells &, const UpdateInput &, UpdateOutput *) except +

    void run_polarity(const Cells &, const int32_t *, const Probe &, int, UpdateOutput *) except +
    void run_write_noise(const Cells &) except +


cdef extern from "plan.h" namespace "hwsim" nogil:
    cdef cppclass PlanRules:
        double granularity, grad_scale
        int32_t desired_bl
        cbool fixed_bl, update_management, update_bl_management

    int plan_samples "hwsim::plan"(const PlanRules &, const double *, int64_t, const float *, const float *, int64_t, int64_t, int64_t, int32_t,
                                   int64_t *, int32_t *, double *, double *)
