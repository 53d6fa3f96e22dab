package org.tfminilm.demo

import java.io.ByteArrayOutputStream
import java.io.File
import java.lang.management.ManagementFactory
import java.util.Random
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.tfminilm.BundleException
import org.tfminilm.FolderFiles
import org.tfminilm.Golden
import org.tfminilm.tryOut

/** Zips that chance has changed, and some that somebody made to harm. */
class HostileZipTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val words = object : ZipWords {
        override val noZip = "This is no zip file."
        override val noManifest = "There is no manifest.json in it."

        override fun tooMany(count: Int) = "It holds $count bundles."

        override fun tooLarge(bytes: Long, limit: Long) = "It has $bytes bytes of $limit."
    }

    private fun zipped(entries: List<Pair<String, ByteArray>>): ByteArray {
        val content = ByteArrayOutputStream()
        ZipOutputStream(content).use { output ->
            for ((path, bytes) in entries) {
                output.putNextEntry(ZipEntry(path))
                output.write(bytes)
            }
        }
        return content.toByteArray()
    }

    private val files by lazy { Golden.file("tagged").listFiles()!!.map { it.name to it.readBytes() } }

    /** Null where it is taken. */
    private fun refusal(zip: ByteArray): String? {
        val place = folder.newFolder()
        val archive = File(place, "archive").also { it.writeBytes(zip) }
        val threads = ManagementFactory.getThreadMXBean()
        val start = threads.currentThreadCpuTime
        val message = try {
            ZipBundle.open(archive, words) { it.unpack(place) {} }
            tryOut(FolderFiles(place))
            null
        } catch (error: BundleException) {
            error.message
        }
        val seconds = (threads.currentThreadCpuTime - start) / 1e9
        assertTrue("$seconds s", seconds < 2)
        if (message != null) assertTrue(message, message.length in 15..500 && message.none { it.isISOControl() })
        assertEquals(setOf("archive"), place.list()!!.toSet() - files.map { it.first })
        place.deleteRecursively()
        return message
    }

    @Test
    fun `zips that chance has changed`() {
        val good = zipped(files)
        assertEquals(null, refusal(good))
        val refused = (0 until 80).count { seed ->
            val random = Random(seed.toLong())
            val zip = if (seed % 4 == 0) good.copyOf(random.nextInt(good.size)) else good.copyOf()
            repeat(1 + random.nextInt(30)) { zip[random.nextInt(zip.size)] = random.nextInt().toByte() }
            refusal(zip) != null
        }
        assertTrue("$refused", refused > 60)
    }

    @Test
    fun `names that lead elsewhere, and files beyond measure`() {
        val outside = files.map { (name, bytes) -> "../../$name" to bytes }
        assertEquals(null, refusal(zipped(outside))) // They lie in the folder all the same.
        val huge = ByteArray(20_000_000)
        val cases = listOf(
            files.map { (name, bytes) -> name to if (name == "vocab.txt") huge else bytes },
            files.map { (name, bytes) -> name to if (name == "manifest.json") huge else bytes },
            files.map { (name, bytes) -> name.uppercase() to bytes },
            files.map { (name, bytes) -> "a/$name" to bytes } + files.map { (name, bytes) -> "b/$name" to bytes },
            List(20_000) { "useless/$it" to ByteArray(0) },
            listOf("manifest.json/" to ByteArray(0)),
            emptyList(),
        )
        for (case in cases) assertTrue("$case", refusal(zipped(case)) != null)
    }
}
