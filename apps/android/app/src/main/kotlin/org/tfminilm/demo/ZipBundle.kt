package org.tfminilm.demo

import java.io.EOFException
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.util.zip.ZipEntry
import java.util.zip.ZipException
import java.util.zip.ZipFile
import org.tfminilm.BundleException
import org.tfminilm.BundleManifest
import org.tfminilm.FolderFiles
import org.tfminilm.ModelBundle

/** What is wrong with a zip, in the app's words. */
interface ZipWords {
    val noZip: String
    val noManifest: String

    fun tooMany(count: Int): String

    fun tooLarge(bytes: Long, limit: Long): String
}

/**
 * The bundle in a zip: a manifest, and the two files that it names, from the
 * manifest's own folder. Whatever else the zip holds is not looked at.
 */
internal class ZipBundle(private val zip: ZipFile, private val words: ZipWords) {
    /**
     * Unpacks the three files.
     *
     * @param progress takes bytes; it may throw to stop.
     * @throws BundleException they are not there, or too large.
     */
    fun unpack(into: File, progress: (Long) -> Unit): BundleManifest {
        val path = manifestPath()
        copy(zip.getEntry(path), File(into, BundleManifest.FILE), MAX_MANIFEST, progress)
        val manifest = ModelBundle.manifest(FolderFiles(into))
        val names = listOf(BundleManifest.MODEL, manifest.tokenizer.vocabulary)
        val bytes = names.sumOf { manifest.files[it]?.bytes ?: 0 }
        if (bytes > MAX_BYTES) throw BundleException(words.tooLarge(bytes, MAX_BYTES))
        for (name in names) {
            val entry = zip.getEntry(path.removeSuffix(BundleManifest.FILE) + name)
            if (entry == null || File(name).name != name) {
                throw BundleException("The bundle's ${clipped(name)} is missing or cannot be read")
            }
            copy(entry, File(into, name), manifest.files.getValue(name).bytes, progress)
        }
        return manifest
    }

    /** The manifest that lies in the fewest folders. */
    private fun manifestPath(): String {
        val paths = zip.entries().asSequence().filter { !it.isDirectory }.map { it.name }
            .filter { it.substringAfterLast('/') == BundleManifest.FILE }.toList()
        val depth = paths.minOfOrNull(::depth) ?: throw BundleException(words.noManifest)
        val highest = paths.filter { depth(it) == depth }
        if (highest.size > 1) throw BundleException(words.tooMany(highest.size))
        return highest.single()
    }

    private fun depth(path: String) = path.count { it == '/' }

    private fun copy(entry: ZipEntry, target: File, limit: Long, progress: (Long) -> Unit) {
        val isWhole = try {
            zip.getInputStream(entry).use { input ->
                target.outputStream().use { copy(input, it, limit, progress) }
            }
        } catch (error: ZipException) {
            throw damaged(target.name, error)
        } catch (error: EOFException) {
            throw damaged(target.name, error)
        }
        if (!isWhole) {
            throw BundleException(
                "The bundle's ${target.name} has more than $limit bytes: copy the bundle again",
            )
        }
    }

    private fun damaged(name: String, cause: IOException) =
        BundleException("The zip is damaged at its ${clipped(name)}: copy it again", cause)

    companion object {
        const val MAX_BYTES = 500_000_000L
        private const val MAX_MANIFEST = 1L shl 20

        /** @throws BundleException the file is no zip. */
        fun <T> open(file: File, words: ZipWords, use: (ZipBundle) -> T): T {
            val zip = try {
                ZipFile(file)
            } catch (error: IOException) {
                throw BundleException(words.noZip, error)
            }
            return zip.use { use(ZipBundle(it, words)) }
        }

        /** Copies at most [limit] bytes; false where there are more. */
        fun copy(
            input: InputStream,
            output: OutputStream,
            limit: Long,
            progress: (Long) -> Unit,
        ): Boolean {
            val buffer = ByteArray(1 shl 16)
            var done = 0L
            while (true) {
                val size = input.read(buffer)
                if (size < 0) return true
                done += size
                if (done > limit) return false
                output.write(buffer, 0, size)
                progress(size.toLong())
            }
        }
    }
}
