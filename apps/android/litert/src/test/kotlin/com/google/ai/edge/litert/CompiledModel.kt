@file:Suppress("UNUSED_PARAMETER", "unused")

package com.google.ai.edge.litert

import android.content.res.AssetManager
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.LiteRt
import org.tensorflow.lite.NativeTensor

/**
 * Stands in for LiteRT 2's compiled model: the same calls, answered by the
 * desktop's LiteRT through its C functions, which have the same names and the
 * same meaning. Only the CPU is there.
 */
class CompiledModel private constructor(path: String, options: Options) : AutoCloseable {
    private val buffer = RandomAccessFile(path, "r").use {
        it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length())
    }
    private val litert = LiteRt()
    private val signatures = litert.load(buffer, options.cpuOptions?.numThreads ?: 1)

    fun createInputBuffer(name: String, signature: String?): TensorBuffer =
        TensorBuffer(signatures.getValue(signature!!).inputs.getValue(name))

    fun createOutputBuffer(name: String, signature: String?): TensorBuffer =
        TensorBuffer(signatures.getValue(signature!!).outputs.getValue(name))

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String?) {
        litert.run(signatures.getValue(signature!!))
    }

    override fun close() = litert.close()

    class Options(vararg val accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    data class CpuOptions(val numThreads: Int?, val xnnPackFlags: Int?, val xnnPackWeightCachePath: String?)

    companion object {
        /** The options that the last model was made with. */
        var last: Options? = null

        @JvmStatic
        fun create(filePath: String, options: Options, environment: Environment?): CompiledModel {
            last = options
            if (Accelerator.CPU !in options.accelerators) throw LiteRtException(504, "no such hardware")
            return CompiledModel(filePath, options)
        }

        @JvmStatic
        fun create(
            assets: AssetManager,
            name: String,
            options: Options,
            environment: Environment?,
        ): CompiledModel = throw UnsupportedOperationException()
    }
}

enum class Accelerator { NONE, CPU, GPU, NPU }

class Environment private constructor()

class LiteRtException(code: Int, message: String) : Exception("$code: $message")

class TensorBuffer internal constructor(private val tensor: NativeTensor) : AutoCloseable {
    fun writeInt(data: IntArray) {
        val bytes = ByteBuffer.allocate(4 * data.size).order(ByteOrder.nativeOrder())
        bytes.asIntBuffer().put(data)
        tensor.write(bytes)
    }

    fun readFloat(): FloatArray {
        val bytes = ByteBuffer.allocate(tensor.numBytes()).order(ByteOrder.nativeOrder())
        tensor.read(bytes)
        return FloatArray(tensor.numElements()).also { bytes.asFloatBuffer().get(it) }
    }

    override fun close() = Unit
}
