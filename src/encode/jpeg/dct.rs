//! The forward cosine transform of 8 × 8 samples, in integers.
//!
//! After C. Loeffler, A. Ligtenberg and G. S. Moschytz, "Practical fast 1-D DCT algorithms with 11
//! multiplications" (1989): sums and differences of mirrored samples give the even and the odd
//! coefficients. Scaling and rounding are those of libjpeg's `jfdctint.c`.

/// Bits of fraction of the factors.
const FRACTION: u32 = 13;

/// Bits of fraction that coefficients keep between the two passes.
const KEPT: u32 = 2;

/// Eight rows of eight.
pub(super) type Block = [[i32; 8]; 8];

/// How a pass scales and rounds its results.
struct Scale {
    /// Coefficients 0 and 4: up by so many bits.
    up: u32,
    /// Coefficients 0 and 4: added first, then down by so many bits.
    plain: (i32, u32),
    /// The other even ones and the odd ones: added before the shift down.
    half: (i32, i32),
    /// The others: down by so many bits.
    down: u32,
}

const FIRST: Scale = Scale {
    up: KEPT,
    plain: (0, 0),
    half: (1 << (FRACTION - KEPT - 1), 1 << (FRACTION - KEPT - 1)),
    down: FRACTION - KEPT,
};

const SECOND: Scale = Scale {
    up: 0,
    plain: (1 << (KEPT - 1), KEPT),
    half: (1 << (FRACTION + KEPT - 1), 1 << (FRACTION + KEPT - 1)),
    down: FRACTION + KEPT,
};

/// Transforms eight values. Each factor has 13 bits of fraction.
#[inline(always)]
fn transform(v: [i32; 8], scale: &Scale) -> [i32; 8] {
    let sum = [v[0] + v[7], v[1] + v[6], v[2] + v[5], v[3] + v[4]];
    let [d0, d1, d2, d3] = [v[0] - v[7], v[1] - v[6], v[2] - v[5], v[3] - v[4]];

    let (outer, inner) = (sum[0] + sum[3] + scale.plain.0, sum[1] + sum[2]);
    let (p, q) = (sum[0] - sum[3], sum[1] - sum[2]);
    // 0.541196, and below 0.765367 and 1.847759.
    let turned = (p + q) * 4433 + scale.half.0;

    // 1.175876, 0.390181, 1.961571, 0.899976 and 2.562915.
    let all = (d0 + d1 + d2 + d3) * 9633 + scale.half.1;
    let (even, odd) = (all - (d0 + d2) * 3196, all - (d1 + d3) * 16069);
    let (far, near) = ((d0 + d3) * -7373, (d1 + d2) * -20995);
    // 1.501321, 3.072711, 2.053120 and 0.298631.
    [
        ((outer + inner) << scale.up) >> scale.plain.1,
        (d0 * 12299 + far + even) >> scale.down,
        (turned + p * 6270) >> scale.down,
        (d1 * 25172 + near + odd) >> scale.down,
        ((outer - inner) << scale.up) >> scale.plain.1,
        (d2 * 16819 + near + even) >> scale.down,
        (turned - q * 15137) >> scale.down,
        (d3 * 2446 + far + odd) >> scale.down,
    ]
}

/// Transforms all columns. They are side by side in memory, so a compiler does several at a time.
#[inline(always)]
fn columns(block: &Block, scale: &Scale) -> Block {
    let mut out = [[0; 8]; 8];
    for column in 0..8 {
        let values = std::array::from_fn(|row| block[row][column]);
        for (row, value) in transform(values, scale).into_iter().enumerate() {
            out[row][column] = value;
        }
    }
    out
}

/// The coefficients of a block, eight times those of T.81, A.3.3. The block comes with its columns as
/// rows, and each sample less 128.
#[inline(always)]
pub(super) fn forward(turned: &Block) -> Block {
    let rows_done = columns(turned, &FIRST);
    let upright = std::array::from_fn(|row| std::array::from_fn(|column| rows_done[column][row]));
    columns(&upright, &SECOND)
}
