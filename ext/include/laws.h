// The device laws: what one pulse does to the weight. A law is a struct with
//   PLANES                      parameter planes per device, in the order of its load();
//   TOGETHER                    blocks whose pulses are interleaved, more where one pulse waits long for the one before;
//   Law(scalars)                parameters that all devices share;
//   draws()                     whether a pulse takes a normal;
//   load(p, stride, up)         the parameters of LANES devices; `up` marks the lanes that receive up pulses;
//   step(w, cell, z)            the weights after one pulse with the normals z.
// Steps are signed: a down pulse has negative planes, so the same formula serves both directions.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

constexpr uint32_t ALL_LANES = 0xFFFFFFFFu >> (BLOCK - LANES);

HWSIM_INLINE V clip(V w, V low, V high) { return minimum(maximum(w, low), high); }

HWSIM_INLINE V load_signed(const float *p, std::ptrdiff_t stride, int plane_up, int plane_down, Mask up) {
    return select(up, load<V>(p + plane_up * stride), load<V>(p + plane_down * stride));
}

// w += o (1 + sigma z)
struct ConstantLaw {
    static constexpr int PLANES = 4;  // o up, o down, lower bound, upper bound
    static constexpr int TOGETHER = 1;
    struct Cell { V o, low, high; };
    float sigma;
    explicit ConstantLaw(const float *s) : sigma(s[0]) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 1, up), hwsim::HWSIM_NAMESPACE::load<V>(p + 2 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 3 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const { return clip(w + c.o * (z * sigma + 1.0f), c.low, c.high); }
};

// w += (k w + o)(1 + sigma z)
struct AffineLaw {
    static constexpr int PLANES = 6;  // k up, o up, k down, o down, lower bound, upper bound
    static constexpr int TOGETHER = 1;
    struct Cell { V k, o, low, high; };
    float sigma;
    explicit AffineLaw(const float *s) : sigma(s[0]) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 2, up), load_signed(p, n, 1, 3, up), hwsim::HWSIM_NAMESPACE::load<V>(p + 4 * n),
                hwsim::HWSIM_NAMESPACE::load<V>(p + 5 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        // Factors first: they do not wait for w, so the chain from pulse to pulse stays short.
        V factor = z * sigma + 1.0f;
        return clip(w + ((c.k * factor) * w + c.o * factor), c.low, c.high);
    }
};

// w += k w + o + s sigma z
struct AdditiveLaw {
    static constexpr int PLANES = 8;  // k up, o up, s up, k down, o down, s down, lower bound, upper bound
    static constexpr int TOGETHER = 1;
    struct Cell { V k, o, s, low, high; };
    float sigma;
    explicit AdditiveLaw(const float *s) : sigma(s[0]) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 3, up), load_signed(p, n, 1, 4, up), load_signed(p, n, 2, 5, up),
                hwsim::HWSIM_NAMESPACE::load<V>(p + 6 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 7 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        return clip(w + (c.k * w + (c.o + c.s * (z * sigma))), c.low, c.high);
    }
};

// Bits of 2^(i / 16), less i / 16 of an exponent.
static const int32_t sixteenth_powers[16] = {
    0x3F800000, 0x3F7DAAC3, 0x3F7B95C2, 0x3F79C3D3, 0x3F7837F0, 0x3F76F532, 0x3F75FED7, 0x3F75583F,
    0x3F7504F3, 0x3F7508A4, 0x3F75672A, 0x3F76248C, 0x3F7744FD, 0x3F78CCDF, 0x3F7AC0C7, 0x3F7D257D};

// 2^(x / 16) for |x| < 2016, with relative error 6e-7: a whole number of sixteenths from the table, the rest by a minimax fit.
HWSIM_INLINE V power_of_sixteenths(V x) {
    const V shifted = x + 12582912.0f, f = x - (shifted - 12582912.0f);
    // The low bits of `shifted` hold the whole number n; n << 19 is n / 16 of an exponent.
    const V whole = (V)(lookup16(sixteenth_powers, (VI)shifted) + (VI)((VU)shifted << 19));
    return whole * fused(f, fused(f, splat(0.0009383845026604831f), splat(0.04332423210144043f)), splat(1.0f));
}

// d = s max(1 - a 2^((p w + r) / 16), 0);  w += d (1 + sigma z)   or   w += d + sigma (|d| + add + slope |w + c|) z
// A device with s = 0 does not move.
struct ExponentialLaw {
    static constexpr int PLANES = 6;  // s up, s down, q, c, lower bound, upper bound; p = 16 g q / ln 2, r = 16 g (q c + b) / ln 2
    static constexpr int TOGETHER = 2;
    struct Cell { V s, a, p, r, shift, low, high; };
    float a_up, a_down, g_up, g_down, b, sigma, add, slope;
    bool narrow, proportional; // no exponent of 2 is beyond +-125; the noise is proportional to the step
    explicit ExponentialLaw(const float *s)
        : a_up(s[0]), a_down(s[1]), g_up(s[2]), g_down(s[3]), b(s[4]), sigma(s[5]), add(s[6]), slope(s[7]), narrow(s[8] != 0),
          proportional(add == 0 && slope == 0) {}
    bool draws() const { return sigma > 0; }
    __attribute__((always_inline)) Cell load(const float *p, std::ptrdiff_t n, Mask up) const {
        const V g = select(up, splat(g_up), splat(-g_down)) * 23.083120654223414f;
        const V q = hwsim::HWSIM_NAMESPACE::load<V>(p + 2 * n), shift = hwsim::HWSIM_NAMESPACE::load<V>(p + 3 * n);
        return {load_signed(p, n, 0, 1, up), select(up, splat(-a_up), splat(-a_down)), g * q, g * (q * shift + b), shift,
                hwsim::HWSIM_NAMESPACE::load<V>(p + 4 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 5 * n)};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        V x = fused(c.p, w, c.r);
        if (!narrow) x = minimum(maximum(x, splat(-2000.0f)), splat(2000.0f));
        const V fall = maximum(fused(c.a, power_of_sixteenths(x), splat(1.0f)), V{});
        if (proportional) return clip(fused(c.s * fused(z, splat(sigma), splat(1.0f)), fall, w), c.low, c.high);
        const V d = c.s * fall, size = maximum(d, -d), v = w + c.shift;
        const V noise = (size + add + maximum(v, -v) * slope) * (z * sigma);
        const V moved = clip(w + (d + noise), c.low, c.high);
        return select(less(V{}, maximum(c.s, -c.s)), moved, w);
    }
};

// d = s y(b) with the distance b to the bound ahead in units of 1 / |i|: y = b^g, or y = (e^(g b) - 1) / (e^g - 1);
// w += d (1 + sigma z)   or   w += d + s sigma z
template <bool EXPONENTIAL>
struct DistanceLaw {
    static constexpr int PLANES = 8;  // s up, s down, g up, g down, i up, i down (negative), lower bound, upper bound
    static constexpr int TOGETHER = 2;
    struct Cell { V s, g, scale, inverse, edge, low, high; };
    float sigma;
    bool multiplicative;
    explicit DistanceLaw(const float *s) : sigma(s[0]), multiplicative(s[1] != 0) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        const V low = hwsim::HWSIM_NAMESPACE::load<V>(p + 6 * n), high = hwsim::HWSIM_NAMESPACE::load<V>(p + 7 * n);
        V g = load_signed(p, n, 2, 3, up), scale = {};
        if (EXPONENTIAL) {
            g = g * 1.4426950408889634f;
            const V whole = power_of_two(g) - 1.0f;
            scale = splat(1.0f) / select(less(V{}, maximum(whole, -whole)), whole, splat(1.0f));
        }
        return {load_signed(p, n, 0, 1, up), g, scale, load_signed(p, n, 4, 5, up), select(up, high, low), low, high};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        const V b = maximum((c.edge - w) * c.inverse, V{});
        V y;
        // The cuts keep the step finite where a step already spans the bounds.
        if (EXPONENTIAL) y = minimum(maximum((power_of_two(c.g * b) - 1.0f) * c.scale, V{}), splat(1e6f));
        else y = select(less(V{}, b), power_of_two(minimum(c.g * (minus_two_log(b) * -0.7213475204444817f), splat(60.0f))), V{});
        const V noise = z * sigma;
        return clip(w + (multiplicative ? (c.s * y) * (noise + 1.0f) : c.s * y + c.s * noise), c.low, c.high);
    }
};

// w += s y(t) (1 + sigma z) with y between the nodes of one table for all devices; t = (w - lower bound) i.
struct PiecewiseLaw {
    static constexpr int PLANES = 5;  // s up, s down, i, lower bound, upper bound
    static constexpr int TOGETHER = 2;
    struct Cell { V s, inverse, low, high; Mask up; };
    float sigma;
    int nodes;
    const float *up, *down; // values at t = 0, 1, ..., nodes - 1
    explicit PiecewiseLaw(const float *s) : sigma(s[0]), nodes((int)s[1]), up(s + 2), down(s + 2 + nodes) {}
    bool draws() const { return sigma > 0; }
    HWSIM_INLINE Cell load(const float *p, std::ptrdiff_t n, Mask up) {
        return {load_signed(p, n, 0, 1, up), hwsim::HWSIM_NAMESPACE::load<V>(p + 2 * n), hwsim::HWSIM_NAMESPACE::load<V>(p + 3 * n),
                hwsim::HWSIM_NAMESPACE::load<V>(p + 4 * n), up};
    }
    __attribute__((always_inline)) V step(V w, const Cell &c, V z) const {
        const V t = (w - c.low) * c.inverse;
        V base = {}, from = select(c.up, splat(up[0]), splat(down[0])), to = from;
        if (nodes > 1) to = select(c.up, splat(up[1]), splat(down[1]));
        for (int k = 1; k < nodes - 1; ++k) {
            const Mask before = less(t, splat((float)k));
            base = select(before, base, splat((float)k));
            from = select(before, from, select(c.up, splat(up[k]), splat(down[k])));
            to = select(before, to, select(c.up, splat(up[k + 1]), splat(down[k + 1])));
        }
        const V y = from + (to - from) * minimum(t - base, splat(1.0f));
        return clip(w + (c.s * y) * (z * sigma + 1.0f), c.low, c.high);
    }
};

// w += y(w) (1 + sigma z) with y between the nodes of a table of each device; the first and last nodes are the bounds.
struct TableLaw {
    static constexpr int PLANES = 0;  // nodes of w, then up steps, then (negative) down steps at them
    static constexpr int TOGETHER = 1;
    // The piece of the table that a device is on stays with it until a pulse leaves it: y = y0 + slope (w - x0) in [from, to).
    struct Cell { const float *p; std::ptrdiff_t n; Mask up; V from, to, x0, y0, slope, low, high; };
    float sigma;
    int nodes;
    explicit TableLaw(const float *s) : sigma(s[0]), nodes((int)s[1]) {}
    bool draws() const { return sigma > 0; }
    __attribute__((always_inline)) Cell load(const float *p, std::ptrdiff_t n, Mask up) const {
        const V zero = {}, end = splat(__builtin_inff());
        const V low = hwsim::HWSIM_NAMESPACE::load<V>(p), high = hwsim::HWSIM_NAMESPACE::load<V>(p + (nodes - 1) * n);
        return {p, n, up, end, -end, zero, zero, zero, low, high};
    }
    __attribute__((noinline)) void find(V w, Cell *c) const {
        const V end = splat(__builtin_inff());
        V x0 = hwsim::HWSIM_NAMESPACE::load<V>(c->p), x1 = hwsim::HWSIM_NAMESPACE::load<V>(c->p + c->n), from = -end, to = nodes > 2 ? x1 : end;
        V y0 = load_signed(c->p, c->n, nodes, 2 * nodes, c->up), y1 = load_signed(c->p, c->n, nodes + 1, 2 * nodes + 1, c->up);
        V x = x1, y = y1;
        for (int k = 1; k < nodes - 1; ++k) {
            const Mask before = less(w, x);
            if (bits(before) == ALL_LANES) break;
            const V next_x = hwsim::HWSIM_NAMESPACE::load<V>(c->p + (k + 1) * c->n);
            const V next_y = load_signed(c->p, c->n, nodes + k + 1, 2 * nodes + k + 1, c->up);
            from = select(before, from, x);
            to = select(before, to, k + 1 < nodes - 1 ? next_x : end);
            x0 = select(before, x0, x);
            y0 = select(before, y0, y);
            x1 = select(before, x1, next_x);
            y1 = select(before, y1, next_y);
            x = next_x;
            y = next_y;
        }
        // Padding has no room; a stuck device has none either.
        const V room = x1 - x0;
        c->from = from;
        c->to = to;
        c->x0 = x0;
        c->y0 = y0;
        c->slope = (y1 - y0) / select(less(V{}, room), room, splat(1.0f));
    }
    __attribute__((always_inline)) V step(V w, Cell &c, V z) const {
        if ((bits(less(w, c.from)) | (bits(less(w, c.to)) ^ ALL_LANES)) != 0) find(w, &c);
        return clip(w + (c.y0 + c.slope * (w - c.x0)) * (z * sigma + 1.0f), c.low, c.high);
    }
};

// Floats from one device to the next where a device's parameters lie together.
template <class Law>
constexpr int PITCH = Law::PLANES <= 4 ? 4 : 8;

template <class Law>
int planes_of(const Law &) { return Law::PLANES; }
static inline int planes_of(const TableLaw &law) { return 3 * law.nodes; }

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
