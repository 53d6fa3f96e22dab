package org.tfminilm

import java.util.Collections
import kotlin.math.abs
import org.tensorflow.lite.TensorFlowLite

/** Remembers which models the app's runtime computes rightly, so that each is tried once. */
interface ProvenModels {
    /** @param sha256 of the model's file. */
    operator fun contains(sha256: String): Boolean

    fun add(sha256: String)

    /** Until the process ends. */
    object InMemory : ProvenModels {
        private val proven: MutableSet<String> = Collections.synchronizedSet(HashSet())

        override fun contains(sha256: String) = sha256 in proven

        override fun add(sha256: String) {
            proven += sha256
        }
    }
}

/**
 * Compares an engine's answers with the known ones, unless that was done before.
 *
 * @throws BundleException they are others.
 */
internal fun BundleManifest.prove(engine: Engine, proven: ProvenModels) {
    val model = files.getValue(BundleManifest.MODEL).sha256
    if (model in proven) return
    if (probe.answers.any { !probe.isRight(engine, it) }) throw wrongRuntime("computes the model wrongly")
    proven.add(model)
}

/** What to say of a runtime that cannot be used for the model. */
internal fun BundleManifest.wrongRuntime(what: String, cause: Throwable? = null): BundleException {
    val needed = runtimes.mapNotNull { (name, oldest) -> oldest?.let { "$name $it or newer" } }
        .ifEmpty { listOf("another runtime") }
    return BundleException(
        "This app's TensorFlow Lite ${TensorFlowLite.runtimeVersion()} $what: its precision, " +
            "$precision, needs ${needed.joinToString(", or ")}",
        cause,
    )
}

private fun Probe.isRight(engine: Engine, known: KnownAnswer): Boolean {
    val sequence = TokenSequence(known.ids.size)
    for (at in known.ids.indices) sequence.add(known.ids[at], known.segments[at])
    val outputs = engine.run(sequence)
    return known.outputs.all { (name, values) ->
        val computed = outputs.getValue(name)
        // A NaN is not within the tolerance either.
        values.indices.all { abs(computed.get(it) - values[it]) <= tolerance }
    }
}
