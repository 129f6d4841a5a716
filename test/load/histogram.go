//go:build linux

package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// subBuckets is the number of linear steps per power of two: values are kept within 1/64, 1.6 %.
const subBuckets = 64

// Histogram counts durations in log-linear buckets of nanoseconds. Adding is wait-free; it has a fixed size and no
// pointers, so that it can live in memory shared between processes. The zero value is empty.
type Histogram struct {
	buckets [subBuckets * 59]atomic.Uint32
	max     atomic.Int64
}

func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	e := bits.Len64(v) - 7
	return (e+1)*subBuckets + int(v>>uint(e)) - subBuckets
}

// bucketLow is the smallest value that falls into bucket i.
func bucketLow(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	return uint64(i%subBuckets+subBuckets) << uint(i/subBuckets-1)
}

// Add counts one duration of ns nanoseconds; negative ones count as zero.
func (h *Histogram) Add(ns int64) {
	ns = max(ns, 0)
	h.buckets[bucketOf(uint64(ns))].Add(1)
	for old := h.max.Load(); ns > old && !h.max.CompareAndSwap(old, ns); old = h.max.Load() {
	}
}

// Reset empties the histogram. Adds that happen meanwhile may be kept or lost.
func (h *Histogram) Reset() {
	for i := range h.buckets {
		if h.buckets[i].Load() != 0 {
			h.buckets[i].Store(0)
		}
	}
	h.max.Store(0)
}

// Distribution is a summary of one or more histograms. Percentiles are in milliseconds.
type Distribution struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50Ms"`
	P90   float64 `json:"p90Ms"`
	P99   float64 `json:"p99Ms"`
	P999  float64 `json:"p999Ms"`
	Max   float64 `json:"maxMs"`
}

// Summarize merges histograms and reads the percentiles. A percentile is the upper edge of its bucket, at most the
// largest value seen: it never flatters.
func Summarize(hs ...*Histogram) Distribution {
	var merged [subBuckets * 59]uint64
	var d Distribution
	var largest int64
	for _, h := range hs {
		for i := range h.buckets {
			n := uint64(h.buckets[i].Load())
			merged[i] += n
			d.Count += n
		}
		largest = max(largest, h.max.Load())
	}
	at := func(q float64) float64 {
		want := uint64(q*float64(d.Count) + 0.999999)
		var seen uint64
		for i, n := range merged {
			seen += n
			if n > 0 && seen >= want {
				return milliseconds(min(int64(bucketLow(i+1)), largest))
			}
		}
		return 0
	}
	d.P50, d.P90, d.P99, d.P999 = at(0.5), at(0.9), at(0.99), at(0.999)
	d.Max = milliseconds(largest)
	return d
}

func milliseconds(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
