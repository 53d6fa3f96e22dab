package org.tfminilm

import java.nio.FloatBuffer
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
    if (!isRight { engine.run(it) }) throw wrongRuntime("computes the model wrongly")
    proven.add(model)
}

/** Whether a model gives its known answers. */
internal fun BundleManifest.isRight(run: (TokenSequence) -> Map<String, FloatBuffer>): Boolean =
    probe.answers.all { probe.isRight(it, run) }

/**
 * Opens a bundle as an app does, and runs each of its signatures once: for an
 * app that imports one, so that what only shows in use is said before it is kept.
 *
 * @return what it says of itself.
 * @throws BundleException it cannot be used; the message says what is wrong.
 */
fun tryOut(files: BundleFiles, proven: ProvenModels = ProvenModels.InMemory): BundleManifest {
    val bundle = ModelBundle.open(files)
    val manifest = bundle.manifest
    bundle.tokenizer().encode("A text.", Tokens())
    LiteRtEngine(bundle, proven = proven).use { engine ->
        for (length in manifest.signatures.map { it.length }) {
            val known = manifest.probe.answers.filter { it.ids.size <= length }.maxByOrNull { it.ids.size }
            if (known == null) {
                engine.run(TokenSequence(0), length)
            } else if (!manifest.probe.isRight(known) { engine.run(it, length) }) {
                throw manifest.wrongRuntime("computes the model wrongly at a length of $length")
            }
        }
    }
    return manifest
}

/** What to say of a runtime that cannot be used for the model. */
internal fun BundleManifest.wrongRuntime(what: String, cause: Throwable? = null): BundleException {
    val needed = runtimes.mapNotNull { (name, oldest) -> oldest?.let { "$name $it or newer" } }
        .ifEmpty { listOf("another runtime") }
    return BundleException(
        "This app's TensorFlow Lite ${TensorFlowLite.runtimeVersion()} $what: its precision, " +
            "$precision, needs ${needed.joinToString(", or ")}",
        cause,
        BundleException.Code.WRONG_RUNTIME,
    )
}

private fun Probe.isRight(
    known: KnownAnswer,
    run: (TokenSequence) -> Map<String, FloatBuffer>,
): Boolean {
    val sequence = TokenSequence(known.ids.size)
    for (at in known.ids.indices) sequence.add(known.ids[at], known.segments[at])
    val outputs = run(sequence)
    return known.outputs.all { (name, values) ->
        val computed = outputs.getValue(name)
        // A NaN is not within the tolerance either.
        values.indices.all { abs(computed.get(it) - values[it]) <= tolerance }
    }
}
