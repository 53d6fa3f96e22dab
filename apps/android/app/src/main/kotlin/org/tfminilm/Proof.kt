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
        private val known: MutableSet<String> = Collections.synchronizedSet(HashSet())

        override fun contains(sha256: String) = sha256 in known

        override fun add(sha256: String) {
            known += sha256
        }
    }
}

/**
 * Compares an engine's answers with the known ones, unless that was done before.
 *
 * @throws BundleException they are others.
 */
internal fun Manifest.prove(engine: Engine, proven: ProvenModels) {
    val model = files.getValue(Manifest.MODEL).sha256
    if (model in proven) return
    if (probe.answers.any { !probe.isRight(engine, it) }) throw wrongRuntime("computes the model wrongly")
    proven.add(model)
}

/** What to say of a runtime that cannot be used for the model. */
internal fun Manifest.wrongRuntime(what: String, cause: Throwable? = null): BundleException {
    val needed = runtimes.mapNotNull { (name, oldest) -> oldest?.let { "$name $it or newer" } }
        .ifEmpty { listOf("another runtime") }
    return BundleException(
        "This app's TensorFlow Lite ${TensorFlowLite.runtimeVersion()} $what: its precision, " +
            "$precision, needs ${needed.joinToString(", or ")}",
        cause,
    )
}

private fun Probe.isRight(engine: Engine, known: KnownAnswer): Boolean {
    val sequence = Sequence(known.ids.size)
    for (at in known.ids.indices) sequence.add(known.ids[at], known.segments[at])
    val found = engine.run(sequence)
    return known.outputs.all { (name, values) ->
        val own = found.getValue(name)
        // So that what is no number is wrong as well.
        values.indices.all { abs(own.get(it) - values[it]) <= tolerance }
    }
}
