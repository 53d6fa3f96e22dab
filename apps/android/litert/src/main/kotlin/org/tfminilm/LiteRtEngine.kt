package org.tfminilm

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor

/** What a file with a model of TensorFlow Lite has from its fifth byte on. */
private val MAGIC = "TFL3".toByteArray()

/**
 * LiteRT's interpreter, by signature name, in buffers that are made once.
 *
 * @param proven says whether the model's known answers are to be compared first.
 * @throws BundleException the model is no LiteRT file, its signatures are not
 *     those of the manifest, or the runtime does not compute it rightly.
 */
class LiteRtEngine @JvmOverloads @Throws(BundleException::class) constructor(
    bundle: ModelBundle,
    threads: Int = 1,
    proven: ProvenModels = ProvenModels.InMemory,
) : Engine {
    private val manifest = bundle.manifest
    private val padId = manifest.tokenizer.pad
    private val interpreter: Interpreter
    private val runners: List<Runner>
    private var isClosed = false
    override val maxLength: Int = manifest.signatures.last().length

    init {
        if (!isModel(bundle.model)) throw BundleException("The bundle's model is no LiteRT file")
        // The file is what the manifest says, so that a failure is the runtime's.
        interpreter = running {
            Interpreter(bundle.model, Interpreter.Options().setNumThreads(threads).setCancellable(true))
        }
        try {
            runners = running { runners() }
            running { manifest.prove(this, proven) }
        } catch (error: BundleException) {
            interpreter.close()
            throw error
        }
    }

    override fun run(sequence: TokenSequence): Map<String, FloatBuffer> = run(sequence, sequence.size)

    /** Runs a sequence in the shortest signature for [length] tokens, or more. */
    internal fun run(sequence: TokenSequence, length: Int): Map<String, FloatBuffer> = synchronized(this) {
        check(!isClosed) { "The model is closed: open it again" }
        val runner = runners.find { it.length >= length }
        requireNotNull(runner) { "$length tokens do not fit $maxLength" }
        runner.run(sequence)
    }

    /** What the interpreter is at is stopped between two operators of the model. */
    override fun run(sequence: TokenSequence, cancellation: Cancellation): Map<String, FloatBuffer> =
        synchronized(this) {
            check(!isClosed) { "The model is closed: open it again" }
            try {
                cancellation.during({ interpreter.setCancelled(true) }) { run(sequence) }
            } finally {
                interpreter.setCancelled(false)
            }
        }

    /** Runs every signature once, as the first run of each is a slow one. */
    fun warmUp() = synchronized(this) {
        check(!isClosed) { "The model is closed: open it again" }
        val nothing = TokenSequence(0)
        runners.forEach { it.run(nothing) }
    }

    /** Waits for a run that another thread is in. */
    override fun close() = synchronized(this) {
        isClosed = true
        interpreter.close()
    }

    private fun isModel(model: ByteBuffer) =
        model.remaining() > 8 && (0 until 4).all { model.get(4 + it) == MAGIC[it] }

    private fun runners() = try {
        manifest.signatures.map(::Runner)
    } catch (error: IllegalArgumentException) {
        throw BundleException(
            "The bundle's model is not what its manifest describes: ${error.message}",
            error,
        )
    }

    /** By one of these two LiteRT says that it does not know an operator or a type. */
    private fun <T> running(work: () -> T): T = try {
        work()
    } catch (error: IllegalArgumentException) {
        throw manifest.wrongRuntime("cannot run the model", error)
    } catch (error: IllegalStateException) {
        throw manifest.wrongRuntime("cannot run the model", error)
    }

    private inner class Runner(private val signature: ModelSignature) {
        val length = signature.length
        private val inputs = signature.inputs.mapValues { (name, shape) ->
            val tensor = interpreter.getInputTensorFromSignature(name, signature.name)
            checkTensor(name, DataType.INT32, shape, tensor)
            buffer(shape)
        }
        private val outputs = signature.outputs.mapValues { (name, shape) ->
            val tensor = interpreter.getOutputTensorFromSignature(name, signature.name)
            checkTensor(name, DataType.FLOAT32, shape, tensor)
            buffer(shape)
        }
        private val ids = inputs.getValue("token_ids").asIntBuffer()
        private val segments = inputs["segment_ids"]?.asIntBuffer()
        private val mask = inputs["padding_mask"]?.asIntBuffer()
        private val results = outputs.mapValues { it.value.asFloatBuffer() }

        init {
            // What is left out would be read as it happens to be.
            val names = interpreter.getSignatureInputs(signature.name).toSet()
            require(names == inputs.keys) { "${signature.name} reads $names, expected ${inputs.keys}" }
        }

        fun run(sequence: TokenSequence): Map<String, FloatBuffer> {
            for (at in 0 until length) {
                val isText = at < sequence.size
                ids.put(at, if (isText) sequence.ids[at] else padId)
                segments?.put(at, if (isText) sequence.segments[at] else 0)
                mask?.put(at, if (isText) 1 else 0)
            }
            inputs.values.forEach { it.rewind() }
            outputs.values.forEach { it.rewind() }
            interpreter.runSignature(inputs, outputs, signature.name)
            return results
        }

        private fun buffer(shape: IntArray): ByteBuffer {
            val numbers = shape.fold(1, Int::times)
            return ByteBuffer.allocateDirect(4 * numbers).order(ByteOrder.nativeOrder())
        }

        private fun checkTensor(name: String, type: DataType, shape: IntArray, tensor: Tensor) {
            require(tensor.dataType() == type) {
                "$name of ${signature.name} is ${tensor.dataType()}, expected $type"
            }
            require(shape.contentEquals(tensor.shape())) {
                "$name of ${signature.name} has shape ${tensor.shape().asList()}, expected ${shape.asList()}"
            }
        }
    }
}
