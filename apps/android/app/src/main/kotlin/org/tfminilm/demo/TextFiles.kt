package org.tfminilm.demo

import android.content.Context
import android.net.Uri
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.CharBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/**
 * Reads text files of other apps into fields.
 *
 * Each has a thread of its own: a provider that never answers holds up nothing
 * else.
 */
class TextFiles(private val context: Context, private val drafts: Drafts) : Watched() {
    /** What is to be said of the file that was opened last; null for nothing. */
    var message: String? = null
        private set

    fun read(uri: Uri, field: String) {
        message = context.getString(R.string.reading)
        changed()
        Thread {
            val outcome = context.outcome { Outcome.Success(text(uri), 0.0) }
            onMain { end(field, outcome) }
        }.apply { isDaemon = true }.start()
    }

    private fun end(field: String, outcome: Outcome<String>?) {
        message = (outcome as? Outcome.Failure)?.message
        if (outcome is Outcome.Success) drafts[field] = outcome.value
        changed()
        message = null
    }

    private fun text(uri: Uri): String {
        val file = PickedFile(context.contentResolver, uri)
        val bytes = try {
            file.open().use(::firstBytes)
        } catch (error: IOException) {
            throw IOException(context.getString(R.string.unreadable, clipped(error.message.orEmpty())), error)
        }
        return try {
            decoded(bytes)
        } catch (error: CharacterCodingException) {
            throw IOException(context.getString(R.string.no_text_file, file.name), error)
        }
    }

    private fun firstBytes(input: InputStream): ByteArray {
        val content = ByteArrayOutputStream()
        ZipBundle.copy(input, content, MAX_BYTES) {}
        return content.toByteArray()
    }

    /** A character that the limit cut in two is left out. */
    private fun decoded(bytes: ByteArray): String {
        val decoder = Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
        val characters = CharBuffer.allocate(bytes.size + 1)
        decoder.decode(ByteBuffer.wrap(bytes), characters, false).run { if (isError) throwException() }
        characters.flip()
        return characters.toString().removePrefix("\uFEFF")
    }

    private companion object {
        const val MAX_BYTES = 4_000_000L
    }
}
