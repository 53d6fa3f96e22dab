package org.tfminilm.demo

import android.content.ContentResolver
import android.net.Uri
import android.provider.OpenableColumns
import java.io.IOException
import java.io.InputStream

/** A file of another app. Its provider may be slow, and never answer: not for the main thread. */
internal class PickedFile(private val resolver: ContentResolver, private val uri: Uri) {
    val name: String
    val bytes: Long?

    init {
        val columns = arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        var shown: String? = null
        var size: Long? = null
        resolver.query(uri, columns, null, null, null)?.use { row ->
            if (row.moveToFirst()) {
                shown = column(row.getColumnIndex(columns[0])) { row.getString(it) }
                size = column(row.getColumnIndex(columns[1])) { row.getLong(it) }
            }
        }
        name = clipped((shown ?: uri.lastPathSegment ?: "").substringAfterLast('/'), MAX_NAME)
        bytes = size?.takeIf { it > 0 }
    }

    /** A folder's name made of the file's: `my.model.zip` is `my.model`. */
    val folderName: String
        get() = name.removeSuffix(".zip").filter { it.isLetterOrDigit() || it in "-_. " }
            .trim('.', ' ').ifEmpty { "model" }

    /** @throws IOException there is no such file, or no leave to read it. */
    fun open(): InputStream = try {
        resolver.openInputStream(uri)
    } catch (error: SecurityException) {
        throw IOException(error)
    } ?: throw IOException("no stream")

    private fun <T> column(index: Int, read: (Int) -> T): T? = if (index < 0) null else read(index)

    private companion object {
        const val MAX_NAME = 100
    }
}
