package org.tfminilm

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import java.io.File
import java.nio.FloatBuffer

/** What a model can run on. */
enum class Hardware { CPU, GPU, NPU }

/**
 * How LiteRT 2 compiles a model.
 *
 * @property hardware the first that can run a part of the model does; the rest is
 *     the next one's. Not all models run on a GPU or NPU: the engine refuses one
 *     that is computed wrongly there.
 * @property threads of the CPU; LiteRT's own number if null.
 * @property weightCache a file in which the CPU keeps the weights as it lays them
 *     out, so that the next start is quicker and processes share them.
 */
class CompiledSettings @JvmOverloads constructor(
    val hardware: List<Hardware> = listOf(Hardware.CPU),
    val threads: Int? = null,
    val weightCache: File? = null,
)

/**
 * LiteRT 2's compiled model, for CPU, GPU and NPU.
 *
 * The app depends on `com.google.ai.edge.litert:litert` 2.x. It reads the model
 * out of a file or of the app's assets, not out of memory. A run is not stopped
 * half-way: a [Cancellation] is heeded in front of one.
 */
class CompiledEngine private constructor(
    bundle: ModelBundle,
    private val settings: CompiledSettings,
    proven: ProvenModels,
    create: (CompiledModel.Options) -> CompiledModel,
) : Engine {
    private val manifest = bundle.manifest
    private val padId = manifest.tokenizer.pad
    private val model: CompiledModel
    private val runners: List<Runner>
    private var isClosed = false
    override val maxLength: Int = manifest.signatures.last().length

    init {
        model = running { create(options()) }
        try {
            runners = running { manifest.signatures.map(::Runner) }
            prove(proven)
        } catch (error: BundleException) {
            model.close()
            throw error
        }
    }

    override fun run(sequence: TokenSequence): Map<String, FloatBuffer> = synchronized(this) {
        check(!isClosed) { "The model is closed: open it again" }
        val runner = runners.find { it.length >= sequence.size }
        requireNotNull(runner) { "${sequence.size} tokens do not fit $maxLength" }
        runner.run(sequence)
    }

    /** Waits for a run that another thread is in. */
    override fun close() = synchronized(this) {
        if (isClosed) return
        isClosed = true
        runners.forEach { it.close() }
        model.close()
    }

    /** A model that is right on one kind of hardware may be wrong on another. */
    private fun prove(proven: ProvenModels) {
        val key = "${manifest.files.getValue(BundleManifest.MODEL).sha256} on LiteRT 2, ${settings.hardware}"
        if (key in proven) return
        if (!running { manifest.isRight { run(it) } }) throw wrong("computes the model wrongly", null)
        proven.add(key)
    }

    private fun options(): CompiledModel.Options {
        val accelerators = settings.hardware.map { Accelerator.valueOf(it.name) }
        val options = CompiledModel.Options(*accelerators.toTypedArray())
        if (settings.threads != null || settings.weightCache != null) {
            options.setCpuOptions(CompiledModel.CpuOptions(settings.threads, null, settings.weightCache?.path))
        }
        return options
    }

    private fun <T> running(work: () -> T): T = try {
        work()
    } catch (error: LiteRtException) {
        throw wrong("cannot run the model", error)
    }

    private fun wrong(what: String, cause: Throwable?) = BundleException(
        "LiteRT 2 on ${settings.hardware.joinToString(" and ")} $what: choose " +
            (if (settings.hardware == listOf(Hardware.CPU)) "another precision" else "the CPU"),
        cause,
        BundleException.Code.WRONG_RUNTIME,
    )

    private inner class Runner(private val signature: ModelSignature) {
        val length = signature.length
        private val inputs: Map<String, TensorBuffer> =
            signature.inputs.keys.associateWith { model.createInputBuffer(it, signature.name) }
        private val outputs: Map<String, TensorBuffer> =
            signature.outputs.keys.associateWith { model.createOutputBuffer(it, signature.name) }
        private val numbers = IntArray(length)

        fun run(sequence: TokenSequence): Map<String, FloatBuffer> {
            write("token_ids") { if (it < sequence.size) sequence.ids[it] else padId }
            write("segment_ids") { if (it < sequence.size) sequence.segments[it] else 0 }
            write("padding_mask") { if (it < sequence.size) 1 else 0 }
            model.run(inputs, outputs, signature.name)
            return outputs.mapValues { FloatBuffer.wrap(it.value.readFloat()) }
        }

        fun close() = (inputs.values + outputs.values).forEach { it.close() }

        private fun write(name: String, number: (Int) -> Int) {
            val buffer = inputs[name] ?: return
            for (at in numbers.indices) numbers[at] = number(at)
            buffer.writeInt(numbers)
        }
    }

    companion object {
        /**
         * Compiles the model of a bundle out of its file.
         *
         * @param model the bundle's `model.tflite`.
         * @throws BundleException LiteRT cannot run it there, or computes it wrongly.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(BundleException::class)
        fun open(
            bundle: ModelBundle,
            model: File,
            settings: CompiledSettings = CompiledSettings(),
            proven: ProvenModels = ProvenModels.InMemory,
        ): CompiledEngine = CompiledEngine(bundle, settings, proven) {
            CompiledModel.create(model.path, it, null)
        }

        /**
         * Compiles the model of a bundle out of the app's assets.
         *
         * @param model the asset's name, such as `bundles/sst2/model.tflite`.
         * @throws BundleException LiteRT cannot run it there, or computes it wrongly.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(BundleException::class)
        fun open(
            bundle: ModelBundle,
            assets: AssetManager,
            model: String,
            settings: CompiledSettings = CompiledSettings(),
            proven: ProvenModels = ProvenModels.InMemory,
        ): CompiledEngine = CompiledEngine(bundle, settings, proven) {
            CompiledModel.create(assets, model, it, null)
        }
    }
}
