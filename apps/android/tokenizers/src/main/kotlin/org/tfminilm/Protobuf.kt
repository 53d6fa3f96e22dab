package org.tfminilm

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.charset.CharacterCodingException

/**
 * A message in the wire format of Protocol Buffers, read field after field.
 *
 * Every method throws a [BundleException] where the bytes end too early or are
 * no such message.
 */
internal class Protobuf(private val bytes: ByteBuffer) {
    /** The number of the field at hand. */
    var field = 0
        private set
    private var type = 0
    private var isRead = true

    /** Goes on to the next field, if there is one. */
    fun next(): Boolean {
        if (!isRead) skip()
        if (!bytes.hasRemaining()) return false
        val tag = varint()
        field = (tag ushr 3).toInt()
        type = (tag and 7).toInt()
        isRead = false
        return true
    }

    fun number(): Int {
        require(VARINT)
        return varint().toInt()
    }

    fun flag(): Boolean = number() != 0

    fun float(): Float {
        require(FIXED_32)
        return Float.fromBits(slice(4).getInt(0))
    }

    fun bytes(): ByteBuffer {
        require(BYTES)
        return slice(varint())
    }

    fun message() = Protobuf(bytes())

    fun text(): String = utf8(bytes())

    private fun require(expected: Int) {
        if (type != expected) throw damaged("field $field is of another type")
        isRead = true
    }

    private fun skip() {
        isRead = true
        when (type) {
            VARINT -> varint()
            FIXED_64 -> slice(8)
            BYTES -> slice(varint())
            FIXED_32 -> slice(4)
            else -> throw damaged("field $field is of type $type")
        }
    }

    private fun varint(): Long {
        var value = 0L
        for (shift in 0 until 64 step 7) {
            if (!bytes.hasRemaining()) throw damaged("it is cut off")
            val byte = bytes.get().toLong()
            value = value or (byte and 127 shl shift)
            if (byte >= 0) return value
        }
        throw damaged("a number is too long")
    }

    private fun slice(size: Long): ByteBuffer {
        if (size < 0 || size > bytes.remaining()) throw damaged("it is cut off")
        val slice = bytes.slice().order(ByteOrder.LITTLE_ENDIAN)
        slice.limit(size.toInt())
        bytes.position(bytes.position() + size.toInt())
        return slice
    }

    companion object {
        private const val VARINT = 0
        private const val FIXED_64 = 1
        private const val BYTES = 2
        private const val FIXED_32 = 5

        fun utf8(bytes: ByteBuffer): String = try {
            Charsets.UTF_8.newDecoder().decode(bytes).toString()
        } catch (_: CharacterCodingException) {
            throw damaged("a text is no UTF-8")
        }

        fun damaged(what: String) =
            BundleException("The bundle's SentencePiece model is damaged: $what")
    }
}
