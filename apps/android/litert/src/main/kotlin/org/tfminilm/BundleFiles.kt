package org.tfminilm

import android.content.res.AssetManager
import java.io.File
import java.io.FileInputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.util.Locale

/** Where a bundle's files lie. */
interface BundleFiles {
    /** @throws IOException there is no such file. */
    @Throws(IOException::class)
    fun open(name: String): InputStream

    /**
     * A file mapped into memory, not read.
     *
     * @throws IOException there is no such file, or it is compressed.
     * @throws BundleException it is too large.
     */
    @Throws(IOException::class, BundleException::class)
    fun map(name: String): ByteBuffer
}

/** A bundle in a folder. */
class FolderFiles(private val folder: File) : BundleFiles {
    override fun open(name: String): InputStream = FileInputStream(File(folder, name))

    override fun map(name: String): ByteBuffer = FileInputStream(File(folder, name)).use {
        it.channel.mapped(name, 0, it.channel.size())
    }
}

/** A bundle in a folder of the app's assets; its model must be stored, not compressed. */
class AssetFiles(private val assets: AssetManager, private val folder: String) : BundleFiles {
    override fun open(name: String): InputStream = assets.open("$folder/$name")

    override fun map(name: String): ByteBuffer = assets.openFd("$folder/$name").use { file ->
        FileInputStream(file.fileDescriptor).use {
            it.channel.mapped(name, file.startOffset, file.length)
        }
    }
}

/** A buffer cannot be larger: LiteRT reads its model out of one. */
private fun FileChannel.mapped(name: String, start: Long, size: Long): ByteBuffer {
    if (size > Int.MAX_VALUE) {
        throw BundleException(
            "The bundle's $name has %.1f GB, more than the 2 GB that can be read here: export a ".format(
                Locale.ROOT,
                size / 1e9,
            ) + "smaller model, or one of lower precision",
            code = BundleException.Code.TOO_LARGE,
        )
    }
    return map(FileChannel.MapMode.READ_ONLY, start, size)
}
