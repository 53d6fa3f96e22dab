package org.tfminilm

import org.json.JSONObject

/** Latencies of one length, in milliseconds. */
class Latency(val length: Int, val median: Double, val p95: Double)

/** Times a model at the lengths of its signatures, on random token ids. */
fun measure(
    bundle: Bundle,
    threads: Int,
    repetitions: Int = 30,
    isCancelled: () -> Boolean = { false },
): List<Latency> = LiteRtEngine(bundle, threads).use { engine ->
    bundle.manifest.signatures.map { signature ->
        val sequence = Sequence(engine.maxLength)
        repeat(signature.length) { sequence.add(1000 + 7 * it, 0) }
        repeat(WARM_UP) { engine.run(sequence) }
        val times = DoubleArray(repetitions) {
            if (isCancelled()) throw java.util.concurrent.CancellationException()
            val start = System.nanoTime()
            engine.run(sequence)
            (System.nanoTime() - start) / 1e6
        }
        times.sort()
        Latency(signature.length, percentile(times, 0.5), percentile(times, 0.95))
    }
}

/** Between the two nearest of sorted [times], as NumPy does it. */
internal fun percentile(times: DoubleArray, share: Double): Double {
    val place = share * (times.size - 1)
    val below = place.toInt()
    val above = minOf(below + 1, times.size - 1)
    return times[below] + (place - below) * (times[above] - times[below])
}

/** Latencies by number of threads and length, as JSON. */
fun toJson(name: String, found: Map<Int, List<Latency>>): JSONObject {
    val threads = JSONObject()
    for ((count, latencies) in found) {
        val lengths = JSONObject()
        for (each in latencies) {
            lengths.put(
                each.length.toString(),
                JSONObject().put("median_ms", each.median).put("p95_ms", each.p95),
            )
        }
        threads.put(count.toString(), lengths)
    }
    return JSONObject().put("model", name).put("threads", threads)
}

private const val WARM_UP = 5
