@file:JvmName("Benchmark")

package org.tfminilm

import java.util.concurrent.CancellationException
import org.json.JSONArray
import org.json.JSONObject

/** Milliseconds of [repeats] runs at one length. */
class Latency(
    val length: Int,
    val median: Double,
    val p95: Double,
    val fastest: Double,
    val repeats: Int,
)

/**
 * Times a model at the lengths of its signatures, on token ids of its vocabulary.
 *
 * @param measured takes each length's times as soon as they are there.
 */
@JvmOverloads
@Throws(BundleException::class)
fun measure(
    bundle: ModelBundle,
    threads: Int,
    repeats: Int = 30,
    isCancelled: () -> Boolean = { false },
    measured: (Latency) -> Unit = {},
): List<Latency> = LiteRtEngine(bundle, threads).use { engine ->
    bundle.manifest.signatures.map { signature ->
        val sequence = TokenSequence(engine.maxLength)
        // Any ids do, if the table has their rows.
        repeat(signature.length) { sequence.add(((1000L + 7 * it) % bundle.manifest.tokens).toInt(), 0) }
        repeat(WARM_UP) { engine.run(sequence) }
        val times = DoubleArray(repeats) {
            if (isCancelled()) throw CancellationException()
            val start = System.nanoTime()
            engine.run(sequence)
            (System.nanoTime() - start) / 1e6
        }
        times.sort()
        Latency(
            signature.length,
            percentile(times, 0.5),
            percentile(times, 0.95),
            times.first(),
            repeats,
        ).also(measured)
    }
}

/** Between the two nearest of sorted [times], as NumPy does it. */
internal fun percentile(times: DoubleArray, share: Double): Double {
    val place = share * (times.size - 1)
    val below = place.toInt()
    val above = minOf(below + 1, times.size - 1)
    return times[below] + (place - below) * (times[above] - times[below])
}

/**
 * Latencies by number of threads, as `tfminilm benchmark --output` writes them.
 *
 * @param machine what they were measured on.
 */
fun toJson(name: String, machine: Map<String, String>, measured: Map<Int, List<Latency>>): JSONObject {
    val rows = JSONArray()
    for ((threads, latencies) in measured) {
        for (each in latencies) {
            rows.put(
                JSONObject()
                    .put("file", name)
                    .put("length", each.length)
                    .put("threads", threads)
                    .put("median", each.median)
                    .put("p95", each.p95)
                    .put("fastest", each.fastest)
                    .put("repeats", each.repeats),
            )
        }
    }
    return JSONObject().put("machine", JSONObject(machine)).put("latency_ms", rows)
}

private const val WARM_UP = 5
