package org.tensorflow.lite

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import java.io.Closeable
import java.nio.ByteBuffer
import java.util.Collections

/**
 * Stands in for Android's interpreter where the tests run: the same calls,
 * answered by the desktop's LiteRT through its C functions. The library is
 * that of the Python package; its path is the property `tfminilm.litert`.
 */
class Interpreter(model: ByteBuffer, options: Options) : Closeable {
    class Options {
        internal var threads = 1

        fun setNumThreads(threads: Int): Options = apply { this.threads = threads }

        fun setCancellable(@Suppress("UNUSED_PARAMETER") isCancellable: Boolean): Options = this
    }

    private val buffer = model // LiteRT reads it as long as the model lives.
    private val litert = LiteRt()
    private val signatures: Map<String, SignatureRunner>

    @Volatile
    private var isCancelled = false

    init {
        if (!litert.isModel(buffer)) throw IllegalArgumentException("not a valid model")
        signatures = litert.load(buffer, options.threads)
    }

    fun getInputTensorFromSignature(name: String, signature: String): Tensor =
        tensor(runner(signature).inputs, name)

    fun getOutputTensorFromSignature(name: String, signature: String): Tensor =
        tensor(runner(signature).outputs, name)

    fun getSignatureInputs(signature: String): Array<String> = runner(signature).inputs.keys.toTypedArray()

    fun runSignature(inputs: Map<String, Any>, outputs: Map<String, Any>, signature: String) {
        val runner = runner(signature)
        check(!isCancelled) { "Client requested cancel during Invoke()" }
        runs += signature
        for ((name, value) in inputs) runner.inputs.getValue(name).write(value as ByteBuffer)
        litert.run(runner)
        for ((name, value) in outputs) runner.outputs.getValue(name).read(value as ByteBuffer)
    }

    /** Android's looks between operators, this one in front of the first. */
    fun setCancelled(isCancelled: Boolean) {
        this.isCancelled = isCancelled
    }

    override fun close() = litert.close()

    private fun runner(name: String) =
        requireNotNull(signatures[name]) { "Input error: Signature $name not found" }

    private fun tensor(tensors: Map<String, NativeTensor>, name: String): Tensor =
        requireNotNull(tensors[name]) { "Input error: no tensor $name" }

    companion object {
        /** The signatures that have run, for tests to read. */
        val runs: MutableList<String> = Collections.synchronizedList(ArrayList())
    }
}

internal class SignatureRunner(
    val index: Long,
    val inputs: Map<String, NativeTensor>,
    val outputs: Map<String, NativeTensor>,
)

internal class NativeTensor(
    private val litert: LiteRt,
    private val type: Int,
    private val shape: IntArray,
    val buffer: Pointer,
) : Tensor {
    override fun shape(): IntArray = shape
    override fun shapeSignature(): IntArray = shape
    override fun numDimensions(): Int = shape.size
    override fun numElements(): Int = shape.fold(1, Int::times)
    override fun numBytes(): Int = 4 * numElements()
    override fun dataType(): DataType = TYPES[type] ?: DataType.STRING
    override fun index(): Int = throw UnsupportedOperationException()
    override fun name(): String = throw UnsupportedOperationException()
    override fun quantizationParams(): Tensor.QuantizationParams =
        throw UnsupportedOperationException()
    override fun asReadOnlyBuffer(): ByteBuffer = throw UnsupportedOperationException()

    fun write(from: ByteBuffer) = litert.locked(buffer, WRITE) {
        it.getByteBuffer(0, numBytes().toLong()).put(from.duplicate())
    }

    fun read(into: ByteBuffer) = litert.locked(buffer, READ) {
        into.duplicate().put(it.getByteBuffer(0, numBytes().toLong()))
    }

    private companion object {
        const val READ = 0
        const val WRITE = 1
        val TYPES = mapOf(
            *arrayOf(1 to DataType.FLOAT32, 2 to DataType.INT32, 3 to DataType.UINT8),
            *arrayOf(4 to DataType.INT64, 6 to DataType.BOOL, 9 to DataType.INT8),
        )
    }
}

/** LiteRT's C functions; every one but the destructors returns 0 if all is well. */
internal class LiteRt : Closeable {
    private val library = NativeLibrary.getInstance(System.getProperty("tfminilm.litert"))
    private val environment = made("LiteRtCreateEnvironment", 0, null)
    private var compiled: Pointer? = null

    fun isModel(buffer: ByteBuffer): Boolean =
        buffer.remaining() > 8 && String(ByteArray(4) { buffer.get(4 + it) }) == "TFL3"

    fun load(buffer: ByteBuffer, threads: Int): Map<String, SignatureRunner> {
        val address = Native.getDirectBufferPointer(buffer)
        val size = buffer.remaining().toLong()
        val model = made("LiteRtCreateModelFromBuffer", environment, address, size)
        val options = made("LiteRtCreateOptions")
        call("LiteRtSetOptionsHardwareAccelerators", options, 1) // The CPU.
        call("LiteRtAddOpaqueOptions", options, processor(threads))
        compiled = made("LiteRtCreateCompiledModel", environment, model, options)
        val runners = LinkedHashMap<String, SignatureRunner>()
        for (index in 0 until number("LiteRtGetNumModelSignatures", model)) {
            val signature = made("LiteRtGetModelSignature", model, index)
            val key = made("LiteRtGetSignatureKey", signature).getString(0)
            runners[key] = SignatureRunner(
                index,
                tensors("Input", signature, index),
                tensors("Output", signature, index),
            )
        }
        return runners
    }

    /** Options of the processor's part, in TOML; LiteRT frees the text. */
    private fun processor(threads: Int): Pointer {
        val text = "num_threads = $threads\n\u0000".toByteArray()
        val payload = Pointer(Native.malloc(text.size.toLong()))
        payload.write(0, text, 0, text.size)
        val free = NativeLibrary.getInstance("c").getFunction("free")
        return made("LiteRtCreateOpaqueOptions", "xnnpack", payload, free)
    }

    fun run(runner: SignatureRunner) = call(
        "LiteRtRunCompiledModel",
        compiled,
        runner.index,
        runner.inputs.size.toLong(),
        runner.inputs.values.map { it.buffer }.toTypedArray(),
        runner.outputs.size.toLong(),
        runner.outputs.values.map { it.buffer }.toTypedArray(),
    )

    fun <T> locked(buffer: Pointer, mode: Int, use: (Pointer) -> T) {
        val address = PointerByReference()
        call("LiteRtLockTensorBuffer", buffer, address, mode)
        use(address.value)
        call("LiteRtUnlockTensorBuffer", buffer)
    }

    override fun close() {
        compiled?.let { library.getFunction("LiteRtDestroyCompiledModel").invoke(arrayOf<Any?>(it)) }
        compiled = null
    }

    /** In the order of the compiled model, which is that of the signature. */
    private fun tensors(
        kind: String,
        signature: Pointer,
        index: Long,
    ): Map<String, NativeTensor> {
        val found = LinkedHashMap<String, NativeTensor>()
        for (at in 0 until number("LiteRtGetNumSignature${kind}s", signature)) {
            val name = made("LiteRtGetSignature${kind}Name", signature, at).getString(0)
            val tensor = made("LiteRtGetSignature${kind}TensorByIndex", signature, at)
            val type = Memory(256)
            call("LiteRtGetRankedTensorType", tensor, type)
            val getter = "LiteRtGetCompiledModel${kind}BufferRequirements"
            val needs = made(getter, compiled, index, at)
            val buffer =
                made("LiteRtCreateManagedTensorBufferFromRequirements", environment, type, needs)
            // The element's type, the rank among flags, and then the sizes.
            val shape = type.getIntArray(8, type.getInt(4) and 127)
            found[name] = NativeTensor(this, type.getInt(0), shape, buffer)
        }
        return found
    }

    private fun made(name: String, vararg arguments: Any?): Pointer {
        val result = PointerByReference()
        call(name, *arguments, result)
        return result.value
    }

    private fun number(name: String, vararg arguments: Any?): Long {
        val result = Memory(8)
        call(name, *arguments, result)
        return result.getLong(0)
    }

    private fun call(name: String, vararg arguments: Any?) {
        val status = library.getFunction(name).invokeInt(arguments)
        check(status == 0) { "$name failed with $status" }
    }
}
